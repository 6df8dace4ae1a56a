"""Conversation of the canary in the log, whose account belongs to nobody. Used by the canary only."""

from typing import Any
from uuid import uuid4

from psycopg import AsyncConnection

from realtime_bridge.rollout.dial.stages import Side
from realtime_bridge.shared import sql
from realtime_bridge.shared.canary_user import CANARY_EMAIL, CANARY_ID

_QUERIES = sql.AsyncQueries(__file__)
CONVERSATION_ID = 10**18 - 1  # the last that policies let in, and in nobody's sequence
LOCK_KEY = 0x63_61_6E_61_72_79  # "canary"
KEEP_S = 3_600.0  # long enough to look at what was lost; at ten a second 36,000 rows


async def take_lock(connection: AsyncConnection[Any]) -> bool:
    """Whether this connection's bridge is the one that measures; asking again is harmless."""
    return bool(await _QUERIES.find_value(connection, "lock", key=LOCK_KEY))


async def ensure(connection: AsyncConnection[Any]) -> int:
    """Return the canary's conversation, created at the first call. The caller holds the lock."""
    async with connection.transaction():
        await _QUERIES.run(connection, "ensure_user", user_id=CANARY_ID, email=CANARY_EMAIL)
        conversation_id = await _QUERIES.find_value(connection, "find_conversation", user_id=CANARY_ID)
        if conversation_id is None:
            values = {"id": CONVERSATION_ID, "user_id": CANARY_ID}
            conversation_id = await _QUERIES.get_value(connection, "create_conversation", **values)
        await _QUERIES.run(connection, "ensure_participant", conversation_id=conversation_id, user_id=CANARY_ID)
    return int(conversation_id)


async def append(connection: AsyncConnection[Any], conversation_id: int) -> int:
    """Commit the event of one message the way everybody's are committed; return its seq."""
    values = {"conversation_id": conversation_id, "event_id": uuid4()}
    return int(await _QUERIES.get_value(connection, "append", **values))


async def find_settled(
    connection: AsyncConnection[Any], conversation_id: int, side: Side, seqs: list[int]
) -> frozenset[int]:
    """Return which of these events the side's sink has dealt with."""
    values = {"conversation_id": conversation_id, "sink": side.value, "seqs": seqs}
    return frozenset(await _QUERIES.list_values(connection, "settled", **values))


async def forget(connection: AsyncConnection[Any], conversation_id: int) -> int:
    """Delete what is older than KEEP_S; return how many events that were."""
    return await _QUERIES.run(connection, "forget", conversation_id=conversation_id, age_s=KEEP_S)
