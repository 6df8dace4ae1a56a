"""Hub of topics and their listeners. A public and a private channel of one name are two topics."""

from typing import Protocol

from ops.local_supabase.access.tokens import Claims
from ops.local_supabase.sockets.join_config import JoinConfig
from ops.local_supabase.wire.frames import Version
from ops.local_supabase.wire.messages import Fanout

Key = tuple[bool, str]


class Listener(Protocol):
    """A joined channel."""

    topic: str
    config: JoinConfig
    claims: Claims
    closed: bool

    @property
    def version(self) -> Version: ...

    def deliver(self, message: Fanout, sender: "Listener | None") -> None: ...

    def deliver_change(self, message: Fanout) -> None: ...

    def push_system(self, message: str, *, status: str = "ok", extension: str = "system") -> None: ...


class Hub:
    """Topics of this endpoint, each with its channels in the order they joined."""

    def __init__(self) -> None:
        self._topics: dict[Key, dict[Listener, None]] = {}

    def subscribe(self, private: bool, name: str, listener: Listener) -> None:
        self._topics.setdefault((private, name), {})[listener] = None

    def unsubscribe(self, private: bool, name: str, listener: Listener) -> None:
        listeners = self._topics.get((private, name))
        if listeners is not None:
            listeners.pop(listener, None)
            if not listeners:
                del self._topics[private, name]

    def listeners(self, private: bool, name: str) -> tuple[Listener, ...]:
        return tuple(self._topics.get((private, name), ()))

    def publish(self, private: bool, name: str, message: Fanout, sender: Listener | None = None) -> None:
        """Hand a message to every listener; raises ValueError at the first whose version cannot carry it."""
        for listener in self.listeners(private, name):
            listener.deliver(message, sender)
