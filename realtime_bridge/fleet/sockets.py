"""A user's legacy sockets, by what their clients were told."""

from typing import NamedTuple


class Sockets(NamedTuple):
    """A user's sockets by what their tokens say; who was told legacy is neither `moved` nor `unasked`."""

    open: int
    moved: int
    """Of clients that were told Supabase: the socket is their standby."""
    unasked: int
    """Of clients whose token is of no realtime session: old ones, which are told nothing."""


NONE = Sockets(0, 0, 0)
