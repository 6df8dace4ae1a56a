"""What Supabase's roles may do with our tables: each table, role and verb, asked of Postgres with real statements.

Tables are found in the catalogue. One that is not named in READABLE is closed to everybody but the service's own role,
so a new table that somebody forgets to close, or opens without saying so here, fails.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import DictRow, dict_row

from migrations.upgrade import upgrade
from ops.local_supabase.database import apply_shape
from ops.machine.postgres import EmbeddedPostgres
from tests.factories import append_message, make_conversation, make_user

READABLE = {  # by members, and what tells whose conversation a row belongs to
    "public.conversations": "id",
    "public.conversation_participants": "conversation_id",
    "public.chat_messages": "conversation_id",
}
VERBS = ("select", "insert", "update", "delete", "truncate")
POLICIES = {  # table, name, verb, role: nothing else lets anybody in
    ("public.conversations", "members_read", "SELECT", "authenticated"),
    ("public.conversation_participants", "members_read", "SELECT", "authenticated"),
    ("public.chat_messages", "members_read", "SELECT", "authenticated"),
    ("realtime.messages", "crossfade_receive", "SELECT", "authenticated"),
    ("realtime.messages", "crossfade_send", "INSERT", "authenticated"),
    # Restrictive: they let nobody in, and keep out whose token an eviction has ended.
    ("public.conversations", "tokens_count", "SELECT", "authenticated"),
    ("public.conversation_participants", "tokens_count", "SELECT", "authenticated"),
    ("public.chat_messages", "tokens_count", "SELECT", "authenticated"),
    ("realtime.messages", "crossfade_tokens_count", "ALL", "authenticated"),
}
OLD_DEFAULTS = "alter default privileges in schema public grant all on {} to anon, authenticated, service_role"
POLICIES_THERE = "select * from pg_policies where schemaname in ('public', 'crossfade', 'realtime')"
TABLES = """
    select n.nspname || '.' || c.relname as name, n.nspname as schema, c.relname as relation,
        c.relrowsecurity as guarded,
        (
            select a.attname from pg_attribute a
            where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
                and a.attidentity = '' and a.attgenerated = ''
            order by a.attnum limit 1
        ) as column
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('public', 'crossfade') and c.relkind in ('r', 'p', 'v', 'm', 'f') order by 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Two accounts with a conversation each; a member of the first."""

    owner: UUID
    member: UUID
    stranger: UUID
    conversation: int
    strangers_conversation: int


@pytest.fixture(scope="module", params=["project of today", "project whose new tables are open by default"])
def database(
    request: pytest.FixtureRequest, postgres_server: EmbeddedPostgres, template_database: str
) -> Iterator[psycopg.Connection[DictRow]]:
    """A migrated database; older Supabase projects grant everything on each new table of `public` to everybody."""
    is_old = request.param != "project of today"
    name = sql.Identifier("security_old" if is_old else "security_new")
    create = sql.SQL("create database {} owner postgres" if is_old else "create database {} owner postgres template {}")
    with psycopg.connect(postgres_server.admin_url(), autocommit=True) as admin:
        admin.execute(create.format(name, sql.Identifier(template_database)) if not is_old else create.format(name))
        if is_old:
            apply_shape(postgres_server.admin_url("security_old"))
            with psycopg.connect(postgres_server.url("security_old"), autocommit=True) as connection:
                for kind in ("tables", "functions", "sequences"):
                    connection.execute(sql.SQL(OLD_DEFAULTS).format(sql.SQL(kind)))
            upgrade(postgres_server.url("security_old"))
        url = postgres_server.url("security_old" if is_old else "security_new")
        with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
            yield connection
        admin.execute(sql.SQL("drop database {} with (force)").format(name))


@pytest.fixture(scope="module")
def people(database: psycopg.Connection[DictRow]) -> People:
    owner, member, stranger = (make_user(database) for _ in range(3))
    conversation = make_conversation(database, owner, member)
    other = make_conversation(database, stranger)
    for each in (conversation, other):
        append_message(database, each)
    return People(
        owner=owner, member=member, stranger=stranger, conversation=conversation, strangers_conversation=other
    )


def tables(connection: psycopg.Connection[DictRow]) -> dict[str, DictRow]:
    found = {row["name"]: row for row in connection.execute(TABLES).fetchall()}
    assert READABLE.keys() <= found.keys()
    return found


def attempt(
    connection: psycopg.Connection[DictRow], role: str, user: UUID | None, verb: str, table: DictRow
) -> set[int] | str:
    """Return `denied`, `allowed`, or for a readable table the conversations whose rows came into question."""
    name = sql.SQL("{}.{}").format(sql.Identifier(table["schema"]), sql.Identifier(table["relation"]))
    key = sql.Identifier(READABLE.get(table["name"]) or table["column"])
    statements = {
        "select": sql.SQL("select {} as key from {}").format(key, name),
        "insert": sql.SQL("insert into {} default values").format(name),
        "update": sql.SQL("update {} set {column} = {column}").format(name, column=sql.Identifier(table["column"])),
        "delete": sql.SQL("delete from {}").format(name),
        "truncate": sql.SQL("truncate {} cascade").format(name),
    }
    with connection.transaction(force_rollback=True):
        if user is not None:
            connection.execute("select set_config('request.jwt.claim.sub', %s, true)", (str(user),))
        connection.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
        try:
            with connection.transaction():
                cursor = connection.execute(statements[verb])
                return {row["key"] for row in cursor} if verb == "select" and table["name"] in READABLE else "allowed"
        except psycopg.errors.InsufficientPrivilege:
            return "denied"
        except psycopg.errors.IntegrityError:
            return "allowed"  # the row itself is at fault, which nobody learns who may not write at all


@pytest.mark.parametrize("verb", VERBS)
def test_nobody_signed_in_may_do_anything(database: psycopg.Connection[DictRow], people: People, verb: str) -> None:
    """`anon` is denied every verb on every table."""
    del people
    outcomes = {name: attempt(database, "anon", None, verb, table) for name, table in tables(database).items()}
    assert outcomes == dict.fromkeys(outcomes, "denied")


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("who", ["owner", "member", "stranger"])
def test_users_read_their_conversations_and_nothing_else(
    database: psycopg.Connection[DictRow], people: People, who: str, verb: str
) -> None:
    """`authenticated` sees the rows of conversations it takes part in, in three tables, and writes nowhere."""
    mine = people.strangers_conversation if who == "stranger" else people.conversation
    for name, table in tables(database).items():
        expected = {mine} if verb == "select" and name in READABLE else "denied"
        assert attempt(database, "authenticated", getattr(people, who), verb, table) == expected, name


def test_the_service_role_sees_all_conversations(database: psycopg.Connection[DictRow], people: People) -> None:
    """In the three tables it may do what a row can be done to, past the policies."""
    everything = {people.conversation, people.strangers_conversation}
    known = tables(database)
    for name in READABLE:
        assert attempt(database, "service_role", None, "select", known[name]) == everything, name
        for verb in ("insert", "update", "delete"):
            assert attempt(database, "service_role", None, verb, known[name]) == "allowed", (name, verb)


def test_the_service_role_is_granted_nothing_more(database: psycopg.Connection[DictRow], people: People) -> None:
    """Keys, secrets, log and dial are not served to the holder of the project's secret key."""
    del people
    grants = database.execute("select count(*) as n from pg_default_acl").fetchone()
    if grants is None or grants["n"]:
        return  # a project whose defaults say so gives its service role everything, and we take nothing from it
    for name, table in tables(database).items():
        for verb in VERBS:
            if name not in READABLE or verb == "truncate":
                assert attempt(database, "service_role", None, verb, table) == "denied", (name, verb)


def test_row_level_security_is_on_everywhere(database: psycopg.Connection[DictRow]) -> None:
    """Also where nobody has a grant, and on each partition: a grant by mistake still shows nothing."""
    unguarded = {name for name, table in tables(database).items() if not table["guarded"]}
    assert unguarded == {"crossfade.schema_version"}


def test_there_are_these_policies_and_none_says_true(database: psycopg.Connection[DictRow]) -> None:
    """A policy that is not in the list, or one that lets everybody in, fails."""
    rows = database.execute(POLICIES_THERE).fetchall()
    found = {
        (f"{row['schemaname']}.{row['tablename']}", row["policyname"], row["cmd"], role)
        for row in rows
        for role in row["roles"]
    }
    assert found == POLICIES
    assert all("true" not in (row["qual"], row["with_check"]) for row in rows)
