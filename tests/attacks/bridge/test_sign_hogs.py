"""One conversation or user that has more to say and to write than the bridge carries, and a neighbour. In turns."""

import asyncio
from collections.abc import Awaitable
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

from realtime_bridge.ephemeral.crossing import QUEUE, EphemeralBridge
from realtime_bridge.ephemeral.members import Membership
from realtime_bridge.ephemeral.presence import MemoryLeases
from realtime_bridge.legacy.conversations import MAX_CONCURRENT
from realtime_bridge.legacy.incoming import StoredIncoming
from realtime_bridge.legacy.sessions import Session

HOG, NEIGHBOUR = 1, 2


class Nobody:
    """Stands where the database and the channels do, and notes whose turn it was."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    async def find_membership(self, conversation_id: int) -> Membership | None:
        self.asked.append(conversation_id)
        return None

    def __getattr__(self, _name: str) -> Any:
        return lambda *_: False


def session(user_id: UUID) -> Session:
    claims = SimpleNamespace(user_id=user_id, issued_at=0.0)
    return cast(Session, SimpleNamespace(sid=str(uuid4()), claims=claims))


def test_a_conversations_flood_of_joins_leaves_its_neighbour_its_turn() -> None:
    """More than the queue holds of one: the neighbour's join is kept, and is second at the latest."""

    async def flood() -> list[int]:
        nobody = Nobody()

        async def deliver(_: object) -> None: ...

        bridge = EphemeralBridge(
            channels=cast(Any, nobody),
            leases=MemoryLeases(),
            members=cast(Any, nobody),
            deliver=deliver,
            may_be_on_supabase=lambda _user, _account: False,
            name="one",
        )
        for _ in range(QUEUE + 1):
            bridge.joined(session(uuid4()), HOG)
        bridge.joined(session(uuid4()), NEIGHBOUR)
        for _ in range(2):
            await bridge.run_once()
        return nobody.asked

    assert NEIGHBOUR in asyncio.run(flood())


def test_one_users_writes_leave_turns_to_others() -> None:
    """A hundred writes that the database does not answer: a neighbour's comes to its connection meanwhile."""

    class HeldPool:
        def __init__(self) -> None:
            self.entered = 0

        def connection(self) -> "HeldPool":
            return self

        async def __aenter__(self) -> None:
            self.entered += 1
            await asyncio.Event().wait()

        async def __aexit__(self, *_: object) -> None: ...

    async def flood() -> tuple[int, int]:
        pool = HeldPool()
        incoming = StoredIncoming(cast(Any, pool))

        def write(user: UUID) -> Awaitable[None]:
            return asyncio.ensure_future(incoming.mark_read(session(user).claims, 1, 1))

        hog = uuid4()
        tasks = [write(hog) for _ in range(100)]
        for _ in range(10):
            await asyncio.sleep(0)
        alone = pool.entered
        tasks.append(write(uuid4()))
        for _ in range(10):
            await asyncio.sleep(0)
        for task in tasks:
            cast("asyncio.Task[None]", task).cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return alone, pool.entered - alone

    alone, neighbours = asyncio.run(flood())
    assert alone == MAX_CONCURRENT - 1
    assert neighbours == 1
