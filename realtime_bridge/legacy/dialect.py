"""Dialects of old clients, and what all of them keep to."""

from collections.abc import Mapping
from typing import Any, Protocol


class Dialect(Protocol):
    """The words of one kind of old clients, over Socket.IO. Raises nothing.

    What happens reaches it as the frames of `socketio/dialect.py`, which every bridge of the fan-out reads; each bridge
    says them to its own sockets in the words of each.
    """

    @property
    def path(self) -> str:
        """Where its clients connect, and by that are known: `/api/ws`."""

    def say(self, event: str, data: Mapping[str, Any]) -> tuple[str, object] | None:
        """Return what its clients hear for a frame; None for what they have no word for."""

    def hear(self, event: str, arguments: tuple[object, ...]) -> tuple[str, tuple[object, ...]]:
        """Return the request, one of those that the handlers know, for what a client has sent."""


class DialectError(ValueError):
    """The event's payload cannot be said in this dialect; the text names the field."""
