"""Project as the endpoint serves it: parts wired, started and ended."""

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
from ops.local_supabase.sockets.context import Context
from ops.local_supabase.sockets.hub import Hub
from ops.local_supabase.sockets.joining import REPLICATION_WAIT_S
from ops.local_supabase.sockets.presence import Presence
from ops.local_supabase.sockets.rates import Rates
from ops.local_supabase.sockets.socket import RESTART, Socket
from ops.local_supabase.upkeep import Upkeep

SLOTS_POLL_S = 0.01
SLOTS_WAIT_S = 3.0  # a temporary slot goes with its connection, within milliseconds

_log = structlog.get_logger(__name__)


class Project:
    """The context of all connections, the two streams, and what runs in the background."""

    def __init__(self, settings: Settings) -> None:
        hub, sessions = Hub(), Sessions(settings)
        rates = Rates(settings.limits, settings.timings.rate_tick_s)
        self.changes = Subscriptions(settings, sessions, self.spawn)
        self.sockets: set[Socket] = set()
        self.stopping = False
        self.stream = ReplicationStream(
            settings.database_url,
            stored_messages.SLOT_PREFIX,
            stored_messages.PUBLICATION,
            StoredMessages(hub, rates, settings.limits).take,
            settings.timings,
        )
        self.context = Context(
            settings=settings,
            hub=hub,
            presence=Presence(hub),
            rates=rates,
            verifier=TokenVerifier(settings.jwt_secret, settings.jwks),
            keys=ApiKeys(settings),
            sessions=sessions,
            authorizer=Authorizer(sessions),
            changes=self.changes,
            replicating=self.stream.connected,
            spawn=self.spawn,
        )
        self._tasks: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Open the database and start the loops; comes back once broadcasts from the database would be seen.

        With a delay it comes back before: what is written until the slot is there is never broadcast.
        """
        await self.context.sessions.open()
        upkeep = Upkeep(self.context, self.sockets)
        await upkeep.tend_partitions()
        for loop in (self._stream(), *upkeep.loops()):
            self.spawn(loop)
        if not self.context.settings.timings.replication_delay_s:
            await asyncio.wait_for(self.stream.connected.wait(), REPLICATION_WAIT_S)

    async def _stream(self) -> None:
        await asyncio.sleep(self.context.settings.timings.replication_delay_s)
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
        await self._wait_for_slots_to_go([self.stream.slot, self.changes.stream.slot])
        await self.context.sessions.close()

    async def _wait_for_slots_to_go(self, slots: list[str]) -> None:
        """A database whose slot is still there cannot be dropped; the server needs a moment to notice that we left."""
        with contextlib.suppress(DatabaseUnavailableError, psycopg.Error):
            async with self.context.sessions.borrow() as connection:
                await connection.set_autocommit(True)
                query = "select 1 from pg_catalog.pg_replication_slots where slot_name = any (%s)"
                for _ in range(int(SLOTS_WAIT_S / SLOTS_POLL_S)):
                    if await (await connection.execute(query, (slots,))).fetchone() is None:
                        return
                    await asyncio.sleep(SLOTS_POLL_S)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run something in the background; its failure is logged, and it ends with the project."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("background_work_failed", reason=repr(error))
