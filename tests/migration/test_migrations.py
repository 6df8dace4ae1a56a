"""Every version goes up and down with rows in place, as a role that is not superuser."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from psycopg.rows import DictRow
from sqlalchemy import create_engine, pool

from migrations import repair, sql, versions
from migrations.upgrade import downgrade, upgrade
from ops.local_supabase.database import apply_shape
from tests.conftest import one
from tests.factories import append_message, make_conversation, make_user
from tests.waiting import wait_for

RELEASED = "0013"
OUTLASTING = """
select pid from pg_stat_activity
where query like 'create index concurrently%' and wait_event_type = 'Lock' and clock_timestamp() - query_start > '1.5s'
"""
GRANTED = """
select c.relname as name, a.grantee::regrole::text as role, a.privilege_type as privilege
from pg_class c, aclexplode(c.relacl) a
where c.relnamespace in ('public'::regnamespace, 'crossfade'::regnamespace)
    and a.grantee in ('anon'::regrole, 'authenticated'::regrole)
"""
VERSIONS = sorted(file.name[:4] for file in Path(versions.__file__).parent.glob("[0-9]*.py"))


def test_migrating_role_is_not_superuser(conn: psycopg.Connection[DictRow]) -> None:
    """The migrations of every test ran as a role that Supabase would hand out."""
    row = one(conn, "select current_user as name, usesuper from pg_user where usename = current_user")
    assert row == {"name": "postgres", "usesuper": False}


@pytest.mark.parametrize("version", ["base", *VERSIONS[:-1]])
def test_down_and_up_again(database_url: str, conn: psycopg.Connection[DictRow], version: str) -> None:
    """A database with rows survives going down to any version and up again; chat rows outlive later versions."""
    conversation = make_conversation(conn, make_user(conn))
    append_message(conn, conversation)
    downgrade(database_url, version)
    upgrade(database_url)
    expected = 0 if version == "base" else 1
    assert one(conn, "select count(*) as n from chat_messages")["n"] == expected


def test_functions_of_the_released_version_stay(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """Processes that were started before the migration still find every function that they call."""
    downgrade(database_url, RELEASED)
    before = _functions(conn)
    upgrade(database_url)
    assert before - _functions(conn) == set()


def test_indexes_are_built_however_long_others_take(
    database_url: str, conn: psycopg.Connection[DictRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index waits for transactions that began before it, also past the timeouts of the server and of migrations."""
    conn.execute(f"alter database {conn.info.dbname} set statement_timeout = '1s'".encode())
    monkeypatch.setattr(sql, "LOCK_TIMEOUT", "1s")
    downgrade(database_url, RELEASED)
    with ThreadPoolExecutor(1) as threads:
        with psycopg.connect(database_url) as writer:
            writer.execute("lock table chat_messages in row exclusive mode")
            migration = threads.submit(upgrade, database_url)
            wait_for(lambda: migration.done() or conn.execute(OUTLASTING).fetchone(), "an index that waits")
        migration.result()


def test_locks_are_bounded_again_after_an_index(database_url: str) -> None:
    """What follows an index in the same run gives up a lock that it cannot have, as what came before."""
    url = database_url.replace("postgresql:", "postgresql+psycopg:")
    with create_engine(url, poolclass=pool.NullPool).connect() as connection:
        context = MigrationContext.configure(connection)
        with Operations.context(context), context.begin_transaction():
            sql.run("set lock_timeout = '7s'")
            sql.create_indexes({"tried": "public.chat_messages (id)"})
            assert connection.exec_driver_sql("show lock_timeout").scalar_one() == "7s"
            sql.drop_indexes(["tried"])
            assert connection.exec_driver_sql("show lock_timeout").scalar_one() == "7s"


def _functions(connection: psycopg.Connection[DictRow]) -> set[str]:
    rows = connection.execute(
        "select oid::regprocedure::text as name from pg_proc where pronamespace = 'crossfade'::regnamespace"
    )
    return {row["name"] for row in rows}


def test_shape_and_migrations_are_idempotent(database_url: str, admin_url: str) -> None:
    """Shaping and migrating a database that already is both changes nothing and fails nowhere."""
    apply_shape(admin_url)
    upgrade(database_url)


def test_repair_knows_every_table(conn: psycopg.Connection[DictRow]) -> None:
    """What repairs indexes looks at all tables of ours in `public`, and at no other."""
    rows = conn.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
    assert {row["tablename"] for row in rows} == set(repair.TABLES)


@pytest.mark.parametrize("index", ["chat_rooms_name", "chat_rooms_name_ccnew"])
def test_tables_of_the_project_are_left_alone(database_url: str, conn: psycopg.Connection[DictRow], index: str) -> None:
    """An invalid index of a table that only sounds like ours is neither built again nor dropped."""
    conn.execute("create table public.chat_rooms (name text)")
    conn.execute("insert into public.chat_rooms values ('twice'), ('twice')")
    with pytest.raises(psycopg.errors.UniqueViolation):
        conn.execute(f"create unique index concurrently {index} on public.chat_rooms (name)".encode())
    before = one(conn, "select indexrelid, indisvalid from pg_index where indrelid = 'public.chat_rooms'::regclass")
    upgrade(database_url)
    after = one(conn, "select indexrelid, indisvalid from pg_index where indrelid = 'public.chat_rooms'::regclass")
    assert (after, after["indisvalid"]) == (before, False)


def test_every_chat_table_has_row_level_security(conn: psycopg.Connection[DictRow]) -> None:
    """No table of ours can be read through the Data API without a policy, partitions included."""
    rows: list[Any] = conn.execute(
        """
        select n.nspname || '.' || c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p') and n.nspname in ('public', 'crossfade') and not c.relrowsecurity
            and c.relname <> 'schema_version'
        """
    ).fetchall()
    assert rows == []


def test_nothing_is_left_of_default_privileges(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """On a project that grants everything new in `public` to its API roles, ours keep what a policy needs, no more."""
    downgrade(database_url, "base")
    for kind in ("tables", "sequences", "functions"):
        defaults = f"alter default privileges in schema public grant all on {kind} to anon, authenticated, service_role"
        conn.execute(defaults.encode())
    upgrade(database_url)
    rows = conn.execute(GRANTED).fetchall()
    assert {(row["name"], row["role"], row["privilege"]) for row in rows} == {
        (table, "authenticated", "SELECT") for table in ("conversations", "conversation_participants", "chat_messages")
    }


def test_no_policy_is_open_to_all(conn: psycopg.Connection[DictRow]) -> None:
    """No policy is USING (true), and none speaks to anon or public."""
    rows = conn.execute(
        "select tablename, policyname from pg_policies where schemaname in ('public', 'realtime')"
        " and (qual = 'true' or with_check = 'true' or roles && '{anon,public}')"
    ).fetchall()
    assert rows == []


def test_event_partitions_are_made_ahead_and_dropped_behind(conn: psycopg.Connection[DictRow]) -> None:
    """Making partitions twice makes them once, and retention drops only what is wholly older."""
    assert one(conn, "select crossfade.ensure_event_partitions(4) as made")["made"] == 0
    assert one(conn, "select crossfade.ensure_event_partitions(6) as made")["made"] == 2
    conn.execute(
        "create table crossfade.chat_events_2020_01_06 partition of chat_events"
        " for values from ('2020-01-06') to ('2020-01-13')"
    )
    assert one(conn, "select crossfade.drop_event_partitions('30 days') as dropped")["dropped"] == 1
    assert one(conn, "select crossfade.drop_event_partitions('30 days') as dropped")["dropped"] == 0


def test_housekeeping_never_queues_writers_behind_it(conn: psycopg.Connection[DictRow]) -> None:
    """Whatever version defined them last, the functions that lock the log give up a lock they cannot have at once."""
    rows = conn.execute(
        "select proname, proconfig from pg_proc where proname in ('ensure_event_partitions', 'drop_event_partitions')"
    ).fetchall()
    assert len(rows) == 2
    assert all("lock_timeout=200ms" in row["proconfig"] for row in rows)


def test_rows_of_a_missing_partition_move_into_it(conn: psycopg.Connection[DictRow]) -> None:
    """What was written while nobody made partitions lies in the default one, and moves when its week is made."""
    conversation = make_conversation(conn, make_user(conn))
    week = one(conn, "select to_char(date_trunc('week', now() at time zone 'utc'), 'YYYY_MM_DD') as name")["name"]
    conn.execute(f"drop table crossfade.chat_events_{week}".encode())
    append_message(conn, conversation)
    assert one(conn, "select count(*) as n from crossfade.chat_events_default")["n"] == 1
    assert one(conn, "select crossfade.ensure_event_partitions(4) as made")["made"] == 1
    assert one(conn, "select count(*) as n from crossfade.chat_events_default")["n"] == 0
    assert one(conn, "select count(*) as n from chat_events")["n"] == 1


def test_members_read_their_conversations_and_others_nothing(conn: psycopg.Connection[DictRow]) -> None:
    """Through row level security a member sees the conversation and its messages; a stranger sees neither."""
    owner, member, stranger = make_user(conn), make_user(conn), make_user(conn)
    append_message(conn, make_conversation(conn, owner, member))
    for user, visible in ((owner, 1), (member, 1), (stranger, 0)):
        with conn.transaction():
            conn.execute("select set_config('request.jwt.claim.sub', %s, true)", (str(user),))
            conn.execute("set local role authenticated")
            assert one(conn, "select count(*) as n from conversations")["n"] == visible
            assert one(conn, "select count(*) as n from chat_messages")["n"] == visible
