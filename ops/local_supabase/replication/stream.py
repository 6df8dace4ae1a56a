"""Stream of logical replication.

Connects, keeps a temporary slot, hands each change on, and starts over when it breaks.

What is written while nobody is connected is never seen again: the slot is temporary, as on Supabase.
"""

import asyncio
import contextlib
import secrets
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg
import structlog
from psycopg import pq, sql
from psycopg.generators import copy_from, fetch, send
from psycopg.rows import tuple_row
from psycopg.waiting import wait_async

from ops.local_supabase.replication.pgoutput import Change, Decoder
from ops.local_supabase.settings import Timings

_EPOCH_S = 946_684_800  # PostgreSQL counts from 2000-01-01
_STATUS_EVERY_S = 10.0  # wal_sender_timeout is 60 s
_DATA_HEADER = 25
_KEEPALIVE_REPLY = 17

_log = structlog.get_logger(__name__)


@dataclass(eq=False, repr=False)
class ReplicationStream:
    """One slot on one publication. `connected` is set while changes can arrive."""

    database_url: str
    slot_prefix: str
    publication: str
    on_change: Callable[[Change], None]
    timings: Timings
    connected: asyncio.Event = field(default_factory=asyncio.Event)
    slot: str = ""
    """Empty until it first connects."""
    _position: int = 0

    async def run(self) -> None:
        """Stream until cancelled; after a failure try again in steps that grow to two seconds."""
        delay_s = self.timings.replication_retry_s
        while True:
            try:
                await self._stream()
            except (psycopg.Error, OSError) as error:
                _log.warning("replication_lost", publication=self.publication, reason=str(error).strip())
            if self.connected.is_set():
                delay_s = self.timings.replication_retry_s
            self.connected.clear()
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 2, self.timings.replication_retry_max_s)

    async def _stream(self) -> None:
        connection = await psycopg.AsyncConnection.connect(
            self.database_url,
            autocommit=True,
            replication="database",
            application_name="realtime_replication",
            connect_timeout=max(2, int(self.timings.database_timeout_s)),
        )
        try:
            await self._start(connection)
            self.connected.set()
            _log.info("replication_connected", publication=self.publication)
            confirming = asyncio.create_task(self._keep_confirming(connection.pgconn))
            try:
                await self._read(connection.pgconn)
            finally:
                confirming.cancel()
        finally:
            with contextlib.suppress(psycopg.Error):
                connection.pgconn.finish()

    async def _start(self, connection: psycopg.AsyncConnection[Any]) -> None:
        slot = self.slot = f"{self.slot_prefix}_{secrets.token_hex(4)}"
        async with connection.cursor(row_factory=tuple_row) as cursor:
            create = "CREATE_REPLICATION_SLOT {} TEMPORARY LOGICAL pgoutput NOEXPORT_SNAPSHOT"
            await cursor.execute(sql.SQL(create).format(sql.Identifier(slot)))
        start = sql.SQL(
            "START_REPLICATION SLOT {} LOGICAL 0/0 (proto_version '1', publication_names {}, messages 'false')"
        ).format(sql.Identifier(slot), sql.Literal(self.publication))
        pgconn = connection.pgconn
        pgconn.send_query(start.as_bytes(connection))
        await wait_async(send(pgconn), pgconn.socket, _STATUS_EVERY_S)
        result = await wait_async(fetch(pgconn), pgconn.socket, _STATUS_EVERY_S)
        if result is None or result.status != pq.ExecStatus.COPY_BOTH:
            reason = result.error_message.decode(errors="replace") if result is not None else "no answer"
            raise psycopg.OperationalError(f"START_REPLICATION failed: {reason}")

    async def _read(self, pgconn: pq.abc.PGconn) -> None:
        """Hand changes on as they come; raises when the stream ends."""
        decoder, self._position = Decoder(), 0
        while True:
            received = await wait_async(copy_from(pgconn), pgconn.socket, _STATUS_EVERY_S)
            if not isinstance(received, memoryview):
                raise psycopg.OperationalError("stream ended")
            data = bytes(received)
            if data[:1] == b"w":
                change = decoder.decode(data[_DATA_HEADER:])
                (self._position,) = struct.unpack_from("!Q", data, 9)
                if change is not None:
                    self.on_change(change)
            elif data[:1] == b"k":
                (end,) = struct.unpack_from("!Q", data, 1)
                self._position = max(self._position, end)
                if data[_KEEPALIVE_REPLY]:
                    self._confirm(pgconn)

    async def _keep_confirming(self, pgconn: pq.abc.PGconn) -> None:
        with contextlib.suppress(psycopg.Error):  # who reads sees the end by itself
            while True:
                self._confirm(pgconn)
                await asyncio.sleep(_STATUS_EVERY_S)

    def _confirm(self, pgconn: pq.abc.PGconn) -> None:
        """Confirm what was read."""
        now = int((time.time() - _EPOCH_S) * 1_000_000)
        message = struct.pack("!cQQQqB", b"r", self._position, self._position, self._position, now, 0)
        pgconn.put_copy_data(message)
        pgconn.flush()
