"""Who takes part in a conversation, and under which name: as the database's one rule says, wherever it is shown."""

import asyncio

import psycopg
from psycopg.rows import DictRow

from realtime_bridge.ephemeral.members import Membership, StoredMembers
from tests.factories import make_conversation, make_user
from tests.relays import open_pool


def test_what_is_no_text_is_no_name(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """A profile is the user's to write: a number under `full_name` is passed over, as in cards and webhooks."""
    owner = make_user(conn)
    profile = '{"full_name": 7, "name": "Bo"}'
    conn.execute("update auth.users set raw_user_meta_data = %s where id = %s", (profile, owner))
    conversation_id = make_conversation(conn, owner)

    async def find() -> Membership | None:
        async with open_pool(database_url) as pool:
            return await StoredMembers(pool).find_membership(conversation_id)

    membership = asyncio.run(find())
    assert membership is not None
    assert membership.names[owner] == "Bo"
