"""What all sockets of the endpoint share: topics, presence, rates, policies, streams. Wires the parts together."""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

import psycopg
import structlog

from ops.local_supabase.access.authorization import Authorizer
from ops.local_supabase.access.keys import ApiKeys
from ops.local_supabase.access.tokens import TokenVerifier
from ops.local_supabase.changes.subscriptions import Subscriptions
from ops.local_supabase.database.connections import DatabaseUnavailableError, Sessions
from ops.local_supabase.replication import stored_messages
from ops.local_supabase.replication.stored_messages import StoredMessages
from ops.local_supabase.replication.stream import ReplicationStream
from ops.local_supabase.settings import Settings
from ops.local_supabase.sockets.channel import Channel
from ops.local_supabase.sockets.hub import Hub
from ops.local_supabase.sockets.presence import Presence
from ops.local_supabase.sockets.rates import Rates
from ops.local_supabase.sockets.socket import RESTART, Socket
from ops.local_supabase.upkeep import Upkeep
from ops.local_supabase.wire.messages import TextFanout

SLOTS_POLL_S = 0.01
SLOTS_WAIT_S = 3.0  # a temporary slot goes with its connection, within milliseconds
REPLICATION_WAIT_S = 30.0  # how long a channel that asked for it waits to hear that the stream is up

_log = structlog.get_logger(__name__)


class Project:
    """One Supabase project as this endpoint serves it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.hub = Hub()
        self.presence = Presence(self.hub)
        self.rates = Rates(settings.limits, settings.timings.rate_tick_s)
        self.verifier = TokenVerifier(settings.jwt_secret, settings.jwks)
        self.keys = ApiKeys(settings)
        self.sessions = Sessions(settings)
        self.authorizer = Authorizer(self.sessions)
        self.changes = Subscriptions(self)
        self.sockets: set[Socket] = set()
        self.users = 0
        self.stopping = False
        self.stream = ReplicationStream(
            settings.database_url,
            stored_messages.SLOT_PREFIX,
            stored_messages.PUBLICATION,
            StoredMessages(self.hub, self.rates, settings.limits).take,
            settings.timings,
        )
        self._tasks: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Open the database and start the loops; comes back once broadcasts from the database would be seen.

        With a delay it comes back before: what is written until the slot is there is never broadcast.
        """
        await self.sessions.open()
        upkeep = Upkeep(self)
        await upkeep.tend_partitions()
        for loop in (self._stream(), *upkeep.loops()):
            self.spawn(loop)
        if not self.settings.timings.replication_delay_s:
            await asyncio.wait_for(self.stream.connected.wait(), REPLICATION_WAIT_S)

    async def _stream(self) -> None:
        await asyncio.sleep(self.settings.timings.replication_delay_s)
        await self.stream.run()

    async def stop(self) -> None:
        """End every connection, 1012 for those with channels, then the loops and the database."""
        self.stopping = True
        sockets = list(self.sockets)
        for socket in sockets:
            if not socket.channels:
                socket.drop()
        await asyncio.gather(*(socket.close(RESTART) for socket in sockets if socket.channels))
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._wait_for_slots_to_go([self.stream.slot, self.changes.slot])
        await self.sessions.close()

    async def _wait_for_slots_to_go(self, slots: list[str]) -> None:
        """A database whose slot is still there cannot be dropped; the server needs a moment to notice that we left."""
        with contextlib.suppress(DatabaseUnavailableError, psycopg.Error):
            async with self.sessions.borrow() as connection:
                await connection.set_autocommit(True)
                query = "select 1 from pg_catalog.pg_replication_slots where slot_name = any (%s)"
                for _ in range(int(SLOTS_WAIT_S / SLOTS_POLL_S)):
                    if await (await connection.execute(query, (slots,))).fetchone() is None:
                        return
                    await asyncio.sleep(SLOTS_POLL_S)

    async def disconnect_all(self) -> None:
        """What the platform does when settings change: a system message without `channel`, then 1012."""
        payload = {"message": "Server requested disconnect", "status": "ok", "extension": "system"}
        for socket in self.sockets:
            for channel in list(socket.channels.values()):
                message = TextFanout(channel.topic, "system", payload)
                socket.enqueue(message.encoded(socket.wire.version))
        await asyncio.sleep(0)
        await asyncio.gather(*(socket.close(RESTART) for socket in list(self.sockets)))

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run something in the background; its failure is logged, and it ends with the project."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("background_work_failed", reason=repr(error))

    @property
    def healthy(self) -> bool:
        """Whether broadcasts from the database would reach the sockets right now."""
        return self.stream.connected.is_set()

    def users_full(self) -> bool:
        return self.users >= self.settings.limits.max_concurrent_users

    def count(self, socket: Socket) -> None:
        """A connection counts from its first join to its end."""
        if not socket.counted:
            socket.counted = True
            self.users += 1

    def forget(self, socket: Socket) -> None:
        self.sockets.discard(socket)
        if socket.counted:
            self.users -= 1

    def announce_replication(self, channel: Channel) -> None:
        """Tell a channel that broadcasts from the database will reach it, now or once the stream is back."""
        if self.stream.connected.is_set():
            channel.push_system("Replication connection established")
        else:
            self.spawn(self._announce_later(channel))

    async def _announce_later(self, channel: Channel) -> None:
        try:
            await asyncio.wait_for(self.stream.connected.wait(), REPLICATION_WAIT_S)
        except TimeoutError:
            channel.shutdown("Replication connection was not established in time")
        else:
            if not channel.closed:
                channel.push_system("Replication connection established")
