"""Signs of typing over the API: told to both sides, by one bridge to Supabase, and rubbish to nobody."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID, uuid4, uuid5

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from realtime_bridge.ephemeral.api_signs import CHANNEL, QUEUE, ApiSigns
from realtime_bridge.event_log.wakeup import Wakeup
from realtime_bridge.legacy.frame import Emit
from realtime_bridge.metrics import SIGNS_DROPPED
from realtime_bridge.relay.sink import SinkUnavailable
from realtime_bridge.supabase.transport import Broadcast
from tests.relays import open_pool
from tests.waiting import eventually

USER = UUID(int=5)
GOOD = {
    "type": "presence.typing",
    "conversationId": 7,
    "userId": str(USER),
    "username": None,
    "isTyping": True,
    "origin": "api",
    "hop": 0,
    "eventId": str(uuid4()),
}


class Recorded:
    """Both sides in memory; a transport that fails as told."""

    transactional = True
    max_batch = 10

    def __init__(self) -> None:
        self.emits: list[Emit] = []
        self.broadcasts: list[Broadcast] = []
        self.fails = False

    async def deliver(self, emit: Emit) -> None:
        self.emits.append(emit)

    async def send(self, broadcasts: Sequence[Broadcast], connection: AsyncConnection[Any] | None) -> None:
        assert connection is not None
        if self.fails:
            raise SinkUnavailable("away")
        self.broadcasts.extend(broadcasts)

    async def close(self) -> None: ...

    @contextlib.asynccontextmanager
    async def signs(self, database_url: str, *, speaks: bool = True) -> AsyncIterator[ApiSigns]:
        """What carries signs of the API here, in a bridge that speaks for Supabase or does not."""
        async with open_pool(database_url) as pool:
            yield ApiSigns(
                pool=pool,
                transport=self,
                deliver=self.deliver,
                speaks_for_supabase=lambda: speaks,
            )


def test_signs_reach_both_sides(conn: psycopg.Connection[DictRow], database_url: str) -> None:
    """What the gateway notifies is told with origin and one hop; what is not a sign of the API stops nothing."""
    bad = ["{", "[]", json.dumps(GOOD | {"origin": "legacy"}), json.dumps(GOOD | {"hop": 1}), json.dumps({"hop": 0})]

    async def check() -> None:
        sides = Recorded()
        async with sides.signs(database_url) as signs:
            wakeup = Wakeup(database_url, {CHANNEL: [signs.hear]})
            running = asyncio.gather(signs.run(), wakeup.run())

            def is_heard() -> bool:
                for text in [*bad, json.dumps(GOOD)]:
                    conn.execute("select pg_notify(%s, %s)", (CHANNEL, text))
                return bool(sides.broadcasts)

            await eventually(is_heard, "the first sign")
            running.cancel()
            await asyncio.wait([running])
        first = sides.broadcasts[0]
        assert (first.topic, first.event, str(first.id)) == ("presence:7", "presence.typing", GOOD["eventId"])
        assert (first.payload["origin"], first.payload["hop"], first.payload["userId"]) == ("api", 1, str(USER))
        assert sides.emits[0].data == {"conversationId": "7", "userId": str(USER), "isTyping": True}
        assert len({broadcast.id for broadcast in sides.broadcasts}) == 1

    asyncio.run(check())


def test_one_bridge_speaks_and_a_failure_is_no_matter(database_url: str) -> None:
    """A bridge that does not deliver for Supabase tells only its sockets; so does one whose transport fails."""

    async def check() -> None:
        for speaks in (False, True):
            sides = Recorded()
            sides.fails = speaks
            async with sides.signs(database_url, speaks=speaks) as signs:
                await signs.carry(json.dumps(GOOD))
            assert (len(sides.emits), sides.broadcasts) == (1, [])

    asyncio.run(check())


def test_a_contact_on_a_phone_is_told_by_name(database_url: str) -> None:
    """It is no user and no participant; the gateway has made sure of whom it speaks."""

    async def check() -> None:
        sides = Recorded()
        async with sides.signs(database_url) as signs:
            contact = uuid5(USER, "4917012345@s.whatsapp.net")
            sign = GOOD | {"origin": "wuzapi", "userId": str(contact), "username": "4917012345"}
            await signs.carry(json.dumps(sign))
        (broadcast,) = sides.broadcasts
        said = {name: broadcast.payload[name] for name in ("userId", "username", "origin", "hop")}
        assert said == {"userId": str(contact), "username": "4917012345", "origin": "wuzapi", "hop": 1}
        assert sides.emits[0].data["userId"] == str(contact)

    asyncio.run(check())


def test_what_is_no_sign_stops_nobody(database_url: str) -> None:
    """Whoever may write SQL may notify the channel: brackets by the thousand are passed over, what follows is told."""

    async def check() -> None:
        sides = Recorded()
        async with sides.signs(database_url) as signs:
            for text in ("[" * 7_900, '{"a":' * 1_500, "[]", "7", "", json.dumps(GOOD)):
                await signs.carry(text)
        assert len(sides.emits) == 1

    asyncio.run(check())


def test_more_signs_than_can_be_carried_are_dropped(database_url: str) -> None:
    """Signs may be lost; what waits for them does not grow, and nobody who wakes others waits."""

    async def check() -> None:
        sides = Recorded()
        async with sides.signs(database_url) as signs:
            dropped = SIGNS_DROPPED._value.get()
            for _ in range(QUEUE + 5):
                signs.hear(json.dumps(GOOD))
            assert SIGNS_DROPPED._value.get() == dropped + 5

    asyncio.run(check())
