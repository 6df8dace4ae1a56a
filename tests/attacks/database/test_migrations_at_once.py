"""Attack: several processes migrate one database at the same time, or one is killed in the middle."""

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from migrations import lock
from migrations.upgrade import downgrade, upgrade
from ops.local_supabase.database import apply_shape
from ops.machine.postgres import EmbeddedPostgres
from tests.factories import append_message, make_conversation, make_user
from tests.waiting import wait_for

CROSSFADE = str(Path(sys.executable).with_name("crossfade"))
ROUNDS = 2
AT_ONCE = 3
BEFORE_INDEXES = "0013"  # two versions that build indexes concurrently come after it
FINISH_S = 90.0
UNFIT = """
select i.indexrelid::regclass::text as name
from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid
where c.relkind = 'i' and not (i.indisvalid and i.indisready)
"""
BUILDING = """
select pid from pg_stat_activity
where query like 'create index concurrently%%' and wait_event_type = 'Lock' and datname = current_database()
"""
INDEXES = "select indexdef from pg_indexes where schemaname in ('public', 'crossfade') order by indexdef"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def half_way(postgres_server: EmbeddedPostgres, template_database: str) -> str:
    """Name of a database with rows that stands before the first index is built; copied, never used."""
    name = "migrated_half_way"
    _copy(postgres_server, template_database, name)
    apply_shape(postgres_server.admin_url(name))
    with psycopg.connect(postgres_server.url(name), autocommit=True, row_factory=dict_row) as connection:
        append_message(connection, make_conversation(connection, make_user(connection)))
    downgrade(postgres_server.url(name), BEFORE_INDEXES)
    return name


@pytest.fixture
def old_url(postgres_server: EmbeddedPostgres, half_way: str) -> Iterator[str]:
    name = f"migrated_at_once_{next(_numbers)}"
    _copy(postgres_server, half_way, name)
    yield postgres_server.url(name)
    _admin(postgres_server, sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.mark.parametrize("_turn", range(ROUNDS))
@pytest.mark.timeout(180)
def test_three_at_once_all_succeed(old_url: str, database_url: str, _turn: int, tmp_path: Path) -> None:
    """Three processes that migrate the same database all end well, and leave what one alone would have left."""
    runs = [_Run(tmp_path, old_url) for _ in range(AT_ONCE)]
    ends = [run.end() for run in runs]
    assert [code for code, _ in ends] == [0] * AT_ONCE, ends
    assert _names(old_url, UNFIT) == []
    assert _names(old_url, INDEXES) == _names(database_url, INDEXES)


@pytest.mark.timeout(120)
def test_a_killed_migration_is_taken_up_by_the_next(old_url: str, tmp_path: Path) -> None:
    """A run killed while its index is built leaves the server at work; the next waits for that and then repairs."""
    with psycopg.connect(old_url) as writer, psycopg.connect(old_url, autocommit=True) as watcher:
        writer.execute("lock table chat_messages in row exclusive mode")
        killed = _Run(tmp_path, old_url)
        wait_for(lambda: watcher.execute(BUILDING).fetchone(), "an index that waits for the writer", FINISH_S)
        killed.process.kill()
        killed.end()
        following = _Run(tmp_path, old_url)
        wait_for(lambda: "Another migration" in following.said or following.process.poll(), "the next run", FINISH_S)
        writer.rollback()
    code, said = following.end()
    assert code == 0, said
    assert "create index concurrently" in said, "the sentence names what the other is doing"
    assert _names(old_url, UNFIT) == []


def test_an_index_that_a_crash_left_invalid_is_built_again(database_url: str) -> None:
    """Also in a database that says it is up to date: a migration looks at what is there."""
    before = _names(database_url, INDEXES)
    _leave_invalid(database_url, "conversations_unread")
    assert _names(database_url, UNFIT) == ["conversations_unread"]
    upgrade(database_url)
    assert _names(database_url, UNFIT) == []
    assert _names(database_url, INDEXES) == before


def test_a_repair_that_is_cut_off_is_taken_up_by_the_next(database_url: str) -> None:
    """The index keeps its name until the new one is there, and the half-built copy goes: nothing is lost or doubled."""
    before = _names(database_url, INDEXES)
    _leave_invalid(database_url, "conversations_unread")
    _cut_off(database_url, "reindex index concurrently conversations_unread")
    assert _names(database_url, UNFIT) == ["conversations_unread", "conversations_unread_ccnew"]
    upgrade(database_url)
    assert _names(database_url, UNFIT) == []
    assert _names(database_url, INDEXES) == before


def test_a_migration_waits_no_longer_than_it_was_told(database_url: str, tmp_path: Path) -> None:
    """Behind a migration that does not end, the next says who is in the way and what to do, and gives up."""
    with psycopg.connect(database_url, autocommit=True, application_name="somebody") as other:
        other.execute("select pg_advisory_lock(%s)", (lock.KEY,))
        code, said = _Run(tmp_path, database_url, "--wait", "1").end()
        assert code == 1
        assert f"pid {other.info.backend_pid}" in said
        assert "--wait" in said
    assert _Run(tmp_path, database_url).end()[0] == 0


def _leave_invalid(url: str, name: str) -> None:
    """What a server that stopped in the middle of a build leaves: a reindex by somebody, cut off while it waits."""
    with psycopg.connect(url, autocommit=True) as connection:
        definition = _names(url, f"select indexdef from pg_indexes where indexname = '{name}'")[0]
        connection.execute(f"drop index {name}".encode())
    _cut_off(url, definition.replace("CREATE INDEX", "CREATE INDEX CONCURRENTLY"))


def _cut_off(url: str, statement: str) -> None:
    """Begin to build an index and give up while somebody writes."""
    with psycopg.connect(url) as writer, psycopg.connect(url, autocommit=True) as connection:
        writer.execute("lock table conversations in row exclusive mode")
        connection.execute("set lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            connection.execute(statement.encode())


class _Run:
    """One `crossfade migrate` as a process of its own."""

    def __init__(self, directory: Path, url: str, *options: str) -> None:
        self._output = directory / f"{next(_numbers)}.txt"
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [CROSSFADE, "migrate", *options],
                env={**os.environ, "DATABASE_URL": url},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def said(self) -> str:
        return self._output.read_text()

    def end(self) -> tuple[int, str]:
        """Wait for its end; return code and words."""
        try:
            return self.process.wait(FINISH_S), self.said
        finally:
            self.process.kill()


def _names(url: str, query: LiteralString) -> list[str]:
    with psycopg.connect(url) as connection:
        return [str(row[0]) for row in connection.execute(query)]


def _copy(server: EmbeddedPostgres, template: str, name: str) -> None:
    statement = sql.SQL("create database {} template {} owner postgres strategy file_copy")
    _admin(server, statement.format(sql.Identifier(name), sql.Identifier(template)))


def _admin(server: EmbeddedPostgres, statement: sql.Composed) -> None:
    with psycopg.connect(server.admin_url(), autocommit=True) as connection:
        connection.execute(statement)
