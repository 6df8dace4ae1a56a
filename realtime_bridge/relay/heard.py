"""Mark up to which listeners have heard, beside a sink's cursor. Kept by the relay of a sink that only hopes. Pure."""

from collections.abc import Collection
from typing import Any, Protocol

from psycopg import AsyncConnection

from realtime_bridge.event_log.cursor import Cursor


class Echo(Protocol):
    """What comes back from a sink's listeners. A sink without one is believed: what it settles is heard."""

    @property
    def heard_until(self) -> float:
        """What was delivered before this moment (of `time.monotonic`) has been heard."""

    @property
    def must_go_back(self) -> bool:
        """Whether something delivered since was perhaps not heard, and would be now: the cursor goes back."""

    @property
    def readers(self) -> Collection[str]:
        """Who carries what is delivered to the listeners; a successor who finds the same ones has nothing to repeat."""

    async def look(self, connection: AsyncConnection[Any], *, is_unheard: bool) -> None:
        """Look who the readers are now. Asked before each page; `is_unheard`: something delivered is not yet heard."""

    def take_over(self, readers: Collection[str], *, has_unheard: bool) -> None:
        """Go on for another bridge, which delivered to `readers` and knew of all but the unheard that it was heard."""

    def went_back(self) -> None:
        """What was perhaps not heard is delivered again from here on."""


class HeardMark:
    """`cursor` is where the cursor stood when all before it had been heard.

    Two moments are kept, however much is sent.
    """

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self._next: tuple[float, Cursor] | None = None
        self._newest: tuple[float, Cursor] | None = None

    def sent(self, cursor: Cursor, at: float) -> None:
        """Note where the cursor stands now that a delivery is committed, which was so at `at`."""
        self._newest = at, cursor
        self._next = self._next or self._newest

    def hear(self, until: float) -> None:
        """Move to the latest moment before `until` that is remembered."""
        for moment in (self._next, self._newest):
            if moment and moment[0] < until:
                self.cursor = moment[1]
        if self._newest and self._newest[0] < until:
            self._next = self._newest = None
        elif self._next and self._next[0] < until:
            self._next = self._newest

    def follow(self, cursor: Cursor) -> None:
        """Believe that all is heard up to here."""
        self.cursor, self._next, self._newest = cursor, None, None
