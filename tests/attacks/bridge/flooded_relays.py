"""Relays that work off a log, in a process of their own: how much memory they take for it. Run by test_memory_floods.

`python -m tests.attacks.bridge.flooded_relays`, with DATABASE_URL; prints by how many megabytes it grew at most.
"""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from psycopg import AsyncConnection

from realtime_bridge.event_log.event import Event
from realtime_bridge.legacy.socketio.dialect import emits_of
from realtime_bridge.relay.loop import Relay
from realtime_bridge.relay.sink import Delivery, Sink
from realtime_bridge.shared import database
from realtime_bridge.supabase.database import DatabaseTransport
from realtime_bridge.supabase.probe.way import Way
from realtime_bridge.supabase.sink import RealtimeService, SupabaseSink
from realtime_bridge.webhooks.sink import WebhookSink
from realtime_bridge.wuzapi.sink import WuzapiSink


class Nowhere:
    """The legacy side without its sockets."""

    name = "legacy"
    transactional = False

    def resume(self) -> None: ...

    async def deliver(self, events: Sequence[Event], connection: AsyncConnection[Any] | None) -> Delivery:  # noqa: ARG002
        for event in events:
            emits_of(event, None)
        return Delivery(settled=len(events))


async def run() -> int:
    pool = database.pool(os.environ["DATABASE_URL"], name="flooded", size=8)
    await pool.open()
    sinks: list[Sink] = [
        SupabaseSink(RealtimeService(DatabaseTransport(Way(hold_s=0.0)))),
        Nowhere(),
        WebhookSink(),
        WuzapiSink(),
    ]
    before = peak_mb()
    await asyncio.gather(*(drain(Relay(sink=sink, pool=pool, owner="flooded")) for sink in sinks))
    await pool.close()
    return peak_mb() - before


def peak_mb() -> int:
    """Of this program alone: what `getrusage` calls the most may have been that of the process which started it."""
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) // 1024


async def drain(relay: Relay) -> None:
    assert await relay.acquire()
    while await relay.run_once():
        pass


if __name__ == "__main__":
    print(asyncio.run(run()))  # noqa: T201
