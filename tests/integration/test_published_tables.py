"""What a stranger learns of other accounts who listens to `postgres_changes` of everything."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import DictRow
from realtime import AsyncRealtimeClient, RealtimePostgresChangesListenEvent, RealtimeSubscribeStates

from ops.local_supabase.settings import CLI_JWT_SECRET, CLI_PUBLISHABLE_KEY
from realtime_bridge.shared.tokens import mint_user_token
from tests.factories import append_message, make_conversation, make_user
from tests.integration.bridge.supabase.live import local_supabase
from tests.waiting import eventually

PUBLISHED = "select pubname, tablename from pg_publication_tables where schemaname in ('public', 'crossfade')"
A_TABLE_OF_THE_PROJECT = """
create table public.notes (id int primary key);
grant select on public.notes to authenticated;
alter publication supabase_realtime add table public.notes;
"""
README = Path(__file__).parents[2] / "README.md"


def live_through(conn: psycopg.Connection[DictRow], owner: UUID, member: UUID) -> None:
    """Every kind of change to every chat table, and at last a row that everybody hears."""
    conversation = make_conversation(conn, owner, member)
    append_message(conn, conversation)
    conn.execute("update public.conversations set contact_name = 'x'")
    conn.execute("update public.conversation_participants set last_read_seq = 1")
    conn.execute("update public.chat_messages set content = 'edited'")
    conn.execute("delete from public.conversation_participants where user_id = %s", (member,))
    conn.execute("delete from public.chat_messages")
    conn.execute("delete from public.conversations")
    conn.execute("truncate public.conversations, public.conversation_participants, public.chat_messages cascade")
    conn.execute("insert into public.notes values (1)")


async def hear(admin_url: str, user: UUID, conn: psycopg.Connection[DictRow], owner: UUID, member: UUID) -> list[Any]:
    """Return what the official client is handed meanwhile, up to the row that everybody hears."""
    heard: list[Any] = []
    systems: list[Any] = []
    async with local_supabase(admin_url) as supabase:
        client = AsyncRealtimeClient(f"{supabase.url}/realtime/v1", CLI_PUBLISHABLE_KEY, auto_reconnect=False)
        await client.connect()
        await client.set_auth(mint_user_token(CLI_JWT_SECRET, user, 600))
        states: list[RealtimeSubscribeStates] = []
        channel = client.channel("changes")
        channel.on_postgres_changes(
            RealtimePostgresChangesListenEvent.All, schema="*", table="*", callback=heard.append
        ).on_system(systems.append)
        try:
            await channel.subscribe(lambda state, _error: states.append(state))
            await eventually(lambda: any(each.status == "ok" for each in systems), f"{states} {systems}", 20)
            await asyncio.to_thread(live_through, conn, owner, member)
            await eventually(lambda: any(told(each)[0] == "notes" for each in heard), "the row that all hear", 20)
        finally:
            await client.close()
    return heard


def told(change: Any) -> tuple[str, RealtimePostgresChangesListenEvent]:
    return change["data"]["table"], change["data"]["type"]


@pytest.mark.parametrize("publication", ["as we leave it", "with chat tables and without deletes"])
def test_a_stranger_hears_nothing_of_others(
    conn: psycopg.Connection[DictRow], admin_url: str, publication: str
) -> None:
    """No row, no id, of no change; neither where a project publishes the tables itself as the documentation says."""
    stranger, owner, member = (make_user(conn) for _ in range(3))
    conn.execute(A_TABLE_OF_THE_PROJECT)
    if publication != "as we leave it":
        conn.execute(README.read_text().split("```sql")[1].split("```")[0].encode())
    heard = asyncio.run(hear(admin_url, stranger, conn, owner, member))
    assert [told(change) for change in heard] == [("notes", RealtimePostgresChangesListenEvent.Insert)]


def test_no_table_of_ours_is_published(conn: psycopg.Connection[DictRow]) -> None:
    """A later version that publishes one fails here."""
    assert conn.execute(PUBLISHED).fetchall() == []
