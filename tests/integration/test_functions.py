"""Every function of ours, found in the catalogue: whose rights it has, where it looks for names, who may call it."""

from typing import Any

import psycopg
import pytest
from psycopg.rows import DictRow

from tests.factories import append_message, make_conversation, make_user

CLOSED_PATH = "search_path=pg_catalog, pg_temp"
OURS = """
select p.oid, p.oid::regprocedure::text as name, p.prosecdef as has_owners_rights, l.lanname as language,
    coalesce(p.proconfig, '{}') as settings, pg_get_functiondef(p.oid) as text
from pg_proc p join pg_language l on l.oid = p.prolang
where p.pronamespace in ('public'::regnamespace, 'crossfade'::regnamespace)
"""
CALLERS = """
select p.oid::regprocedure::text as name, coalesce(r.rolname, 'public') as role
from pg_proc p
cross join aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
left join pg_roles r on r.oid = a.grantee
where p.pronamespace in ('public'::regnamespace, 'crossfade'::regnamespace) and a.grantee <> p.proowner
"""
ASKED_BY_POLICIES = """
select distinct refobjid::regprocedure::text as name from pg_depend
where classid = 'pg_policy'::regclass and refclassid = 'pg_proc'::regclass
    and (select pronamespace from pg_proc where oid = refobjid) = 'crossfade'::regnamespace
"""
ASKED_BY_THE_INDEX_OF_WORDS = {
    "crossfade.search_chunk(bigint)",
    "crossfade.search_place(uuid,bigint)",
    "crossfade.search_term(text)",
    "crossfade.search_terms(text,uuid,bigint)",
}


@pytest.fixture
def functions(conn: psycopg.Connection[DictRow]) -> list[dict[str, Any]]:
    return [dict(row) for row in conn.execute(OURS).fetchall()]


def test_names_are_looked_for_in_one_place(functions: list[dict[str, Any]]) -> None:
    """Temporary objects come last; only what is inlined into its caller's statement goes without."""
    settings = {f["name"]: f["settings"] for f in functions if f["has_owners_rights"] or f["language"] != "sql"}
    settings |= {f["name"]: f["settings"] for f in functions if f["settings"]}
    assert {name for name, found in settings.items() if CLOSED_PATH not in found} == set()
    assert sum(f["has_owners_rights"] for f in functions) == 4


def test_every_name_in_them_says_its_schema(conn: psycopg.Connection[DictRow]) -> None:
    """Each that is written in SQL is understood by itself, whatever its caller's path is."""
    with conn.transaction(force_rollback=True):
        conn.execute("set local search_path = pg_catalog, pg_temp")
        texts = [row["text"] for row in conn.execute(OURS)]
        for text in texts:
            conn.execute(text.encode())
    assert len(texts) > 30


def test_nobody_may_call_what_no_policy_or_index_asks(conn: psycopg.Connection[DictRow]) -> None:
    """Users those that policies ask, the service role those of an index; by name nobody signed in calls any."""
    asked = {row["name"] for row in conn.execute(ASKED_BY_POLICIES)}
    assert {(row["name"], row["role"]) for row in conn.execute(CALLERS)} == {
        *((name, "authenticated") for name in asked),
        *((name, "service_role") for name in ASKED_BY_THE_INDEX_OF_WORDS),
    }
    for role in ("anon", "authenticated"):
        usage = conn.execute("select has_schema_privilege(%s, 'crossfade', 'usage') as may", (role,)).fetchone()
        assert usage == {"may": False}, role


def test_the_service_role_writes_messages(conn: psycopg.Connection[DictRow]) -> None:
    """What triggers and indexes do with its rights is within them."""
    conversation = make_conversation(conn, make_user(conn))
    append_message(conn, conversation)
    conn.execute("set role service_role")
    conn.execute(
        "insert into public.chat_messages (conversation_id, seq, event_id, direction, content, status)"
        " values (%s, 2, gen_random_uuid(), 'outgoing', 'some words', 'pending')",
        (conversation,),
    )
    assert conn.execute("update public.chat_messages set content = 'other words'").rowcount == 2
