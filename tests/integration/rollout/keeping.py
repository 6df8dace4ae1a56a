"""A gate keeper that a test drives, and what it is given to judge."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from realtime_bridge.relay.sink import SinkUnavailable
from realtime_bridge.rollout.announcer import Announcer
from realtime_bridge.rollout.dial.follower import Dial
from realtime_bridge.rollout.keeper import GateKeeper
from realtime_bridge.shared.database import Pool
from realtime_bridge.supabase.transport import Broadcast, Transport
from tests.relays import open_pool, run


class RecordingTransport:
    """Keeps what it is given; fails as often as told."""

    transactional = False
    max_batch = 100

    def __init__(self) -> None:
        self.sent: list[Broadcast] = []
        self.failures = 0

    async def send(self, broadcasts: Sequence[Broadcast], connection: AsyncConnection[Any] | None) -> None:
        assert connection is None
        if self.failures:
            self.failures -= 1
            raise SinkUnavailable("not now")
        self.sent += broadcasts

    async def close(self) -> None: ...


@contextlib.asynccontextmanager
async def keeping(
    database_url: str, transport: Transport | None = None, owner: str = "one"
) -> AsyncIterator[tuple[GateKeeper, Pool]]:
    """A keeper that the test drives with `run_once`."""
    async with open_pool(database_url) as pool:
        announced_by = Announcer(pool, transport=transport, legacy=None)
        yield GateKeeper(pool=pool, dial=Dial(database_url), announcer=announced_by, owner=owner), pool


def judge_once(database_url: str, transport: RecordingTransport | None = None) -> int:
    """One round of a new keeper; return how many changes it made."""
    turned = []

    async def once() -> None:
        async with keeping(database_url, transport) as (keeper, _):
            await keeper.census.count_once()
            turned.append(await keeper.run_once())
            await keeper.announce_once()

    run(once)
    return turned[0]


def put_failures(conn: psycopg.Connection[DictRow], seconds_ago: int = 0) -> None:
    """Six in a row, the last of them so long ago."""
    conn.execute(
        """
        update relay_cursors set consecutive_failures = 6, last_error = 'Supabase answered 500',
            last_error_at = clock_timestamp() - make_interval(secs => %s)
        where sink = 'supabase'
        """,
        (seconds_ago,),
    )
