"""Subscriptions to changes, which each gets from the log, in its order."""

import asyncio

import psycopg
import structlog

from ops.local_supabase.changes import bindings, checks
from ops.local_supabase.changes.bindings import BindingError
from ops.local_supabase.changes.delivery import Delivery, Subscription
from ops.local_supabase.database.connections import DatabaseUnavailableError, Sessions
from ops.local_supabase.replication.pgoutput import Change
from ops.local_supabase.replication.stream import ReplicationStream
from ops.local_supabase.settings import Settings
from ops.local_supabase.sockets.context import Spawn
from ops.local_supabase.sockets.hub import Listener
from ops.local_supabase.sockets.join_config import binding_id

SLOT_PREFIX = "supabase_realtime_replication_slot"
PUBLICATION = "supabase_realtime"
MOST_WAITING = 10_000  # changes; past it they are dropped with a log line, as the real poller would lose its slot
EXTENSION = "postgres_changes"

_log = structlog.get_logger(__name__)


class Subscriptions:
    """Connects to the log on the first subscription and keeps the connection."""

    def __init__(self, settings: Settings, sessions: Sessions, spawn: Spawn) -> None:
        self._sessions = sessions
        self._spawn = spawn
        self._by_channel: dict[Listener, list[Subscription]] = {}
        self._waiting: asyncio.Queue[Change] = asyncio.Queue(MOST_WAITING)
        self._delivery = Delivery(sessions)
        self.stream = ReplicationStream(settings.database_url, SLOT_PREFIX, PUBLICATION, self._take, settings.timings)
        self._running = False

    async def subscribe(self, channel: Listener) -> None:
        """(Re)make a channel's subscriptions; one bad binding disables all of them. The outcome is pushed."""
        self.unsubscribe(channel)
        try:
            read = [(binding_id(entry), bindings.read(entry)) for entry in channel.config.bindings]
            async with self._sessions.borrow() as connection:
                wanted = [
                    Subscription(
                        channel, number, binding, await checks.check_binding(connection, binding, channel.claims.role)
                    )
                    for number, binding in read
                ]
        except BindingError as error:
            channel.push_system(str(error), status="error", extension=EXTENSION)
            return
        except (DatabaseUnavailableError, psycopg.Error) as error:
            _log.warning("subscription_failed", reason=str(error).strip())
            return
        self.start()
        if self.stream.connected.is_set():
            self._add(channel, wanted)
        else:
            self._spawn(self._add_later(channel, wanted))

    def unsubscribe(self, channel: Listener) -> None:
        self._by_channel.pop(channel, None)

    def start(self) -> None:
        """Connect to the log, if that has not happened yet."""
        if not self._running:
            self._running = True
            self._spawn(self.stream.run())
            self._spawn(self._deliver())

    def _add(self, channel: Listener, wanted: list[Subscription]) -> None:
        if channel.closed:
            return
        self.unsubscribe(channel)
        self._by_channel[channel] = wanted
        channel.push_system("Subscribed to PostgreSQL", extension=EXTENSION)

    async def _add_later(self, channel: Listener, wanted: list[Subscription]) -> None:
        await self.stream.connected.wait()
        self._add(channel, wanted)

    def _take(self, change: Change) -> None:
        if not self._by_channel:
            return
        try:
            self._waiting.put_nowait(change)
        except asyncio.QueueFull:
            _log.warning("change_dropped", table=change.relation.table)

    async def _deliver(self) -> None:
        while True:
            change = await self._waiting.get()
            wanting = [one for made in self._by_channel.values() for one in made if one.wants(change)]
            try:
                if wanting:
                    await self._delivery.deliver(change, wanting)
            except (DatabaseUnavailableError, psycopg.Error) as error:
                _log.warning("change_lost", table=change.relation.table, reason=str(error).strip())
