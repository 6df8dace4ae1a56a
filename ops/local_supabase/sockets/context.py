"""Context that a project's connections share. And what its parts ask of a connection and of a channel."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ops.local_supabase.access.authorization import Authorizer
from ops.local_supabase.access.keys import ApiKeys
from ops.local_supabase.access.tokens import TokenVerifier
from ops.local_supabase.database.connections import Sessions
from ops.local_supabase.settings import Settings
from ops.local_supabase.sockets.hub import Hub, Listener
from ops.local_supabase.sockets.presence import Presence
from ops.local_supabase.sockets.rates import Rates
from ops.local_supabase.wire.frames import Outgoing
from ops.local_supabase.wire.serializer import Serializer

Spawn = Callable[[Coroutine[Any, Any, Any]], None]


class Changes(Protocol):
    """The feed of postgres_changes."""

    async def subscribe(self, channel: Listener) -> None: ...

    def unsubscribe(self, channel: Listener) -> None: ...


class Connection(Protocol):
    """The WebSocket below a channel."""

    context: "Context"
    token: str
    wire: Serializer

    @property
    def channels(self) -> Mapping[str, Listener]: ...

    def enqueue(self, frame: Outgoing | None) -> None: ...

    def forget(self, channel: Listener) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One for all connections; made by the project."""

    settings: Settings
    hub: Hub
    presence: Presence
    rates: Rates
    verifier: TokenVerifier
    keys: ApiKeys
    sessions: Sessions
    authorizer: Authorizer
    changes: Changes
    replicating: asyncio.Event  # set while broadcasts from the database would reach the sockets
    spawn: Spawn  # runs in the background; a failure is logged, and the work ends with the project
    users: set[Connection] = field(default_factory=set)  # a connection counts from its first join to its end

    @property
    def full(self) -> bool:
        return len(self.users) >= self.settings.limits.max_concurrent_users
