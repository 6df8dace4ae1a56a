"""The fan-out's contract, and the one of a bridge that is alone."""

from collections.abc import Sequence
from typing import Protocol

from realtime_bridge.legacy.frame import Emit


class Here(Protocol):
    """The rooms of this process."""

    async def deliver(self, emit: Emit, *, skip_sid: str | None = None) -> None: ...


class FanoutUnavailable(Exception):
    """The batch was not published, or it is not known that it was; nothing of it was sent from this process."""


class Fanout:
    """For a bridge that is alone."""

    is_ready = True
    """Whether frames published from now on will reach this process's sockets; none are accepted before."""

    def __init__(self, rooms: Here) -> None:
        self._rooms = rooms

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def publish(self, emits: Sequence[Emit]) -> None:
        """Send stored events' frames to every bridge's sockets, in order. Raises FanoutUnavailable."""
        for emit in emits:
            await self._rooms.deliver(emit)

    async def publish_unstored(self, emit: Emit, *, skip_sid: str) -> None:
        """Send a frame that may be lost (typing), to all but one socket of this process. Raises nothing."""
        await self._rooms.deliver(emit, skip_sid=skip_sid)

    async def catch_up(self) -> bool:
        """Return when this process has sent on what was published before the call; False: not within CATCH_UP_S."""
        return True
