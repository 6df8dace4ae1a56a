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
from typing import Any

import psycopg
import structlog
from psycopg import pq, sql
from psycopg.rows import tuple_row

from ops.local_supabase.replication.pgoutput import Change, Decoder
from ops.local_supabase.settings import Timings

_EPOCH_S = 946_684_800  # PostgreSQL counts from 2000-01-01
_STATUS_EVERY_S = 10.0  # wal_sender_timeout is 60 s
_DATA_HEADER = 25
_KEEPALIVE_REPLY = 17

_log = structlog.get_logger(__name__)


class ReplicationStream:
    """One slot on one publication. `connected` is set while changes can arrive."""

    def __init__(
        self,
        database_url: str,
        slot_prefix: str,
        publication: str,
        on_change: Callable[[Change], None],
        timings: Timings,
    ) -> None:
        self.connected = asyncio.Event()
        self.slot = ""  # until it first connects
        self._database_url = database_url
        self._slot_prefix = slot_prefix
        self._publication = publication
        self.on_change = on_change
        self._timings = timings

    async def run(self) -> None:
        """Stream until cancelled; after a failure try again in steps that grow to two seconds."""
        delay_s = self._timings.replication_retry_s
        while True:
            try:
                await self._stream()
            except (psycopg.Error, OSError) as error:
                _log.warning("replication_lost", publication=self._publication, reason=str(error).strip())
            if self.connected.is_set():
                delay_s = self._timings.replication_retry_s
            self.connected.clear()
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 2, self._timings.replication_retry_max_s)

    async def _stream(self) -> None:
        connection = await psycopg.AsyncConnection.connect(
            self._database_url,
            autocommit=True,
            replication="database",
            application_name="realtime_replication",
            connect_timeout=max(2, int(self._timings.database_timeout_s)),
        )
        try:
            await self._start(connection)
            self.connected.set()
            _log.info("replication_connected", publication=self._publication)
            await _Reader(connection.pgconn, self._take).run()
        finally:
            with contextlib.suppress(psycopg.Error):
                connection.pgconn.finish()

    def _take(self, change: Change) -> None:
        self.on_change(change)

    async def _start(self, connection: psycopg.AsyncConnection[Any]) -> None:
        slot = self.slot = f"{self._slot_prefix}_{secrets.token_hex(4)}"
        async with connection.cursor(row_factory=tuple_row) as cursor:
            create = "CREATE_REPLICATION_SLOT {} TEMPORARY LOGICAL pgoutput NOEXPORT_SNAPSHOT"
            await cursor.execute(sql.SQL(create).format(sql.Identifier(slot)))
        start = sql.SQL(
            "START_REPLICATION SLOT {} LOGICAL 0/0 (proto_version '1', publication_names {}, messages 'false')"
        ).format(sql.Identifier(slot), sql.Literal(self._publication))
        connection.pgconn.send_query(start.as_bytes(connection))
        await _wait_for_copy(connection.pgconn)


async def _wait_for_copy(pgconn: pq.abc.PGconn) -> None:
    """Wait until the server has switched to COPY BOTH."""
    pgconn.flush()  # one short line: the kernel takes it at once
    while True:
        await _readable(pgconn.socket)
        pgconn.consume_input()
        if pgconn.is_busy():
            continue
        result = pgconn.get_result()
        if result is None or result.status != pq.ExecStatus.COPY_BOTH:
            reason = result.error_message.decode(errors="replace") if result is not None else "no answer"
            raise psycopg.OperationalError(f"START_REPLICATION failed: {reason}")
        return


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(descriptor, _resolve, ready)
    try:
        await ready
    finally:
        loop.remove_reader(descriptor)


class _Reader:
    """Reads COPY data as soon as the descriptor has some, and confirms what it has read."""

    def __init__(self, pgconn: pq.abc.PGconn, on_change: Callable[[Change], None]) -> None:
        self._pgconn = pgconn
        self._on_change = on_change
        self._decoder = Decoder()
        self._position = 0
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Return or raise when the stream ends."""
        loop = asyncio.get_running_loop()
        descriptor = self._pgconn.socket
        loop.add_reader(descriptor, self._read_safely)
        try:
            while not self._ended.done():
                self._confirm()
                await asyncio.wait([self._ended], timeout=_STATUS_EVERY_S)
            self._ended.result()
        finally:
            loop.remove_reader(descriptor)

    def _read_safely(self) -> None:
        try:
            self._read()
        except Exception as error:  # noqa: BLE001 - a loop callback has nobody else to tell
            if not self._ended.done():
                self._ended.set_exception(error)

    def _read(self) -> None:
        self._pgconn.consume_input()
        while True:
            length, data = self._pgconn.get_copy_data(1)
            if length == 0:
                return
            if length < 0:
                reason = self._pgconn.get_result()
                message = reason.error_message.decode(errors="replace") if reason is not None else "stream ended"
                raise psycopg.OperationalError(message or "stream ended")
            self._take(bytes(data))

    def _take(self, data: bytes) -> None:
        if data[:1] == b"w":
            change = self._decoder.decode(data[_DATA_HEADER:])
            (self._position,) = struct.unpack_from("!Q", data, 9)
            if change is not None:
                self._on_change(change)
        elif data[:1] == b"k":
            (end,) = struct.unpack_from("!Q", data, 1)
            self._position = max(self._position, end)
            if data[_KEEPALIVE_REPLY]:
                self._confirm()

    def _confirm(self) -> None:
        now = int((time.time() - _EPOCH_S) * 1_000_000)
        message = struct.pack("!cQQQqB", b"r", self._position, self._position, self._position, now, 0)
        self._pgconn.put_copy_data(message)
        self._pgconn.flush()
