"""Supabase in this process, with official clients: who sits in a channel, and what is heard there."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from realtime import AsyncRealtimeClient, RealtimeChannelOptions

from ops.local_supabase.endpoint import Endpoint
from ops.local_supabase.project import Project
from ops.local_supabase.settings import CLI_JWT_SECRET, CLI_PUBLISHABLE_KEY, Settings, Timings
from ops.machine.ports import choose_ports
from realtime_bridge.shared.tokens import mint_role_key, mint_user_token
from tests.integration.local_supabase.serving import disconnect_all
from tests.waiting import eventually

PRIVATE: RealtimeChannelOptions = {
    "config": {"private": True, "broadcast": None, "presence": {"key": "", "enabled": False}}
}
JOIN_TIMEOUT_S = 20.0


def service_key() -> str:
    return mint_role_key(CLI_JWT_SECRET, "service_role", 600)


class LocalSupabase:
    """An endpoint that can be stopped and started again on its port; `slot_delay_s` is how long its slot then takes."""

    def __init__(self, admin_url: str) -> None:
        port = choose_ports({"supabase": 0})["supabase"]
        self._settings = Settings(database_url=admin_url, port=port)
        self._endpoint: Endpoint | None = None
        self.url = f"http://127.0.0.1:{port}"

    @property
    def project(self) -> Project:
        assert self._endpoint
        return self._endpoint.project

    async def start(self, *, slot_delay_s: float = 0.0) -> None:
        timings = Timings(channel_error_backoff_s=0.05, replication_delay_s=slot_delay_s)
        self._endpoint = Endpoint(replace(self._settings, timings=timings))
        await self._endpoint.start()

    @contextlib.asynccontextmanager
    async def deaf(self) -> AsyncIterator[None]:
        """Its slot stays, and nothing that is written is read any more: as from a process that hangs."""
        stream = self.project.stream
        take, stream.on_change = stream.on_change, lambda _change: None
        try:
            yield
        finally:
            stream.on_change = take

    async def disconnect_all(self) -> None:
        """As when the project's settings change."""
        await disconnect_all(self.project)

    async def stop(self) -> None:
        if self._endpoint:
            await self._endpoint.stop()
        self._endpoint = None


@contextlib.asynccontextmanager
async def local_supabase(admin_url: str) -> AsyncIterator[LocalSupabase]:
    supabase = LocalSupabase(admin_url)
    await supabase.start()
    try:
        yield supabase
    finally:
        await supabase.stop()


@dataclass(slots=True)
class Listener:
    """What one official client was handed, in the order in which it was."""

    heard: list[tuple[str, dict[str, Any], str | None]] = field(default_factory=list)
    """Topic, payload and `meta.id` of each."""

    def seqs(self, topic: str) -> list[int]:
        return [payload["seq"] for where, payload, _ in self.heard if where == topic]

    def first_heard(self, topic: str) -> list[int]:
        """The same without repeats, as a client shows it that drops what it has: by `meta.id`."""
        shown = {name: payload["seq"] for where, payload, name in reversed(self.heard) if where == topic}
        return list(reversed(shown.values()))

    @property
    def ids(self) -> list[str | None]:
        return [name for _, _, name in self.heard]


@contextlib.asynccontextmanager
async def listening(supabase: LocalSupabase, user_id: UUID, *topics: str) -> AsyncIterator[Listener]:
    """The official Python client, joined to private channels as a user."""
    listener = Listener()
    client = AsyncRealtimeClient(f"{supabase.url}/realtime/v1", CLI_PUBLISHABLE_KEY, auto_reconnect=False)
    await client.connect()
    await client.set_auth(mint_user_token(CLI_JWT_SECRET, user_id, 600))

    def noting(topic: str) -> Callable[[Any], None]:
        def note(message: Any) -> None:
            listener.heard.append((topic, dict(message["payload"]), (message.get("meta") or {}).get("id")))

        return note

    try:
        for topic in topics:
            channel = client.channel(topic, PRIVATE)
            channel.on_broadcast("*", noting(topic))
            await asyncio.wait_for(channel.subscribe(), JOIN_TIMEOUT_S)
            assert channel.is_joined, topic
        yield listener
    finally:
        with contextlib.suppress(Exception):
            await client.close()


async def all_heard(listener: Listener, topic: str, until: int) -> None:
    """Wait until everything up to a seq was heard, repeats apart."""
    await eventually(lambda: set(range(1, until + 1)) <= set(listener.seqs(topic)), f"{until} messages in {topic}", 40)
