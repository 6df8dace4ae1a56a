"""Who wants to know what happens at the legacy sockets: the ephemeral bridge. Called by the handlers, never raises."""

from typing import Protocol

from realtime_bridge.legacy.sessions import Session


class Watcher(Protocol):
    """Every method returns at once: what takes time is queued by the watcher."""

    def joined(self, session: Session, conversation_id: int) -> None: ...

    def left(self, session: Session, conversation_id: int) -> None: ...

    def typed(self, session: Session, conversation_id: int, *, is_typing: bool) -> None:
        """A sign that passed the limit of one start a second, or a stop."""


class Nobody:
    """For a bridge without another side."""

    def joined(self, session: Session, conversation_id: int) -> None: ...

    def left(self, session: Session, conversation_id: int) -> None: ...

    def typed(self, session: Session, conversation_id: int, *, is_typing: bool) -> None: ...
