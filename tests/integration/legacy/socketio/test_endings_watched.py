"""What ends sockets in time is watched: without it a token would open its socket for ever."""

import asyncio
import time
from datetime import timedelta

import psycopg
import pytest
from psycopg.rows import DictRow

from realtime_bridge.legacy.endings import REMEMBERED, Endings
from realtime_bridge.legacy.sessions import Sessions
from realtime_bridge.shared import database
from realtime_bridge.shared.tokens import Claims
from tests.factories import make_user
from tests.integration.legacy.harness import Bridge


def test_what_ends_sockets_does_not_die_unheard(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anything unforeseen reaches who runs the server, and with it the bridge ends and is started anew."""

    async def break_down(_: Endings) -> int:
        raise RuntimeError("unforeseen")

    bridge = Bridge(database_url).start()
    try:
        monkeypatch.setattr(Endings, "run_once", break_down)
        with pytest.raises(RuntimeError, match="unforeseen"):
            bridge.call(asyncio.wait_for(bridge.server.run(), 5))
    finally:
        bridge.stop()


def test_evictions_are_forgotten_with_their_tokens(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """What ended a token more than a day ago is known no longer, however long a bridge runs."""
    evict = """
        insert into chat_evictions (user_id, closed_at, ended_at)
        values (%(user)s, now() + %(after)s, now() + %(after)s)
        on conflict (user_id) do update set closed_at = excluded.closed_at, ended_at = excluded.ended_at
    """
    now = int(time.time())
    first, second = (
        Claims(user_id=make_user(conn), expires_at=now + 900, issued_at=now - 2 * 86_400) for _ in range(2)
    )

    async def watch() -> None:
        async with database.pool(database_url, name="test", size=1) as pool:
            endings = Endings(Sessions(), pool)
            conn.execute(evict, {"user": first.user_id, "after": -REMEMBERED / 2})
            await endings.run_once()
            assert (endings.is_evicted(first), endings.is_evicted(second)) == (True, False)
            conn.execute(evict, {"user": second.user_id, "after": timedelta()})
            await endings.run_once()
            assert (endings.is_evicted(first), endings.is_evicted(second)) == (True, True)
            conn.execute(evict, {"user": second.user_id, "after": REMEMBERED})
            await endings.run_once()
            assert (endings.is_evicted(first), endings.is_evicted(second)) == (False, True)

    asyncio.run(watch())
