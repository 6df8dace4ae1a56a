"""The Supabase shape of a plain database, and the partitions of realtime.messages."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import errors, sql

from ops.local_supabase.database import apply_shape, partitions
from ops.machine.postgres import EmbeddedPostgres
from tests.conftest import drop_database
from tests.integration.local_supabase.serving import execute


def test_many_databases_can_be_shaped_at_once_and_again(postgres_server: EmbeddedPostgres) -> None:
    """Roles are shared by the cluster; shapings that collide all succeed, and a second one changes nothing."""
    names = [f"shaped_{number}" for number in range(4)]
    for name in names:
        execute(postgres_server, sql.SQL("create database {}").format(sql.Identifier(name)))
    failures: list[Exception] = []
    barrier = threading.Barrier(len(names) * 2)

    def shape(name: str) -> None:
        barrier.wait()
        try:
            apply_shape(postgres_server.admin_url(name))
        except psycopg.Error as error:
            failures.append(error)

    threads = [threading.Thread(target=shape, args=(name,)) for name in names * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures
    for name in names:
        drop_database(postgres_server, name)


def test_postgres_is_no_superuser_and_may_do_what_migrations_need(project_url: str) -> None:
    """Policies on realtime.messages, tables in the publication, references to auth.users."""
    with psycopg.connect(project_url, user="postgres", password="postgres", autocommit=True) as connection:
        row = connection.execute("select rolsuper, rolbypassrls from pg_roles where rolname = current_user").fetchone()
        assert row == (False, True)
        connection.execute("create policy probe on realtime.messages for select to anon using (false)")
        connection.execute("create table public.profiles (id uuid primary key references auth.users (id))")
        connection.execute("alter publication supabase_realtime add table public.profiles")
        connection.execute("drop table public.profiles")
        connection.execute("drop policy probe on realtime.messages")
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("drop function auth.uid()")


def test_new_tables_are_not_granted_to_the_api_roles(project_url: str) -> None:
    """As on Supabase since 2026: a migration grants what it means to grant."""
    with psycopg.connect(project_url, user="postgres", password="postgres", autocommit=True) as connection:
        connection.execute("create table public.secrets (id int)")
        for role in ("anon", "authenticated", "service_role"):
            granted = connection.execute("select has_table_privilege(%s, 'public.secrets', 'select')", (role,))
            assert granted.fetchone() == (False,)
        connection.execute("drop table public.secrets")


@pytest.mark.parametrize("function", ["uid", "role", "email", "jwt"])
def test_claims_are_read_from_the_settings_of_the_request(project_url: str, function: str) -> None:
    """auth.uid() and its siblings answer null without claims."""
    with psycopg.connect(project_url, autocommit=True) as connection:
        value = connection.execute(sql.SQL("select auth.{}()").format(sql.Identifier(function))).fetchone()
        assert value == (None,)


def test_partitions_are_made_ahead_and_dropped_after_three_days(project_url: str) -> None:
    """Yesterday to three days ahead exist; a day that is missing is found, one too old is dropped."""
    today = datetime.now(UTC).date()
    with psycopg.connect(project_url, autocommit=True) as connection:
        assert partitions.missing_days(connection) == []
        found = connection.execute(
            "select inhrelid::regclass::text from pg_inherits where inhparent = 'realtime.messages'::regclass"
            " order by 1"
        )
        days = [today + timedelta(days=offset) for offset in range(-1, 4)]
        assert [name for (name,) in found] == [f"realtime.messages_{day:%Y_%m_%d}" for day in days]
        partitions.create_partition(connection, today - timedelta(days=5))
        partitions.create_partition(connection, today - timedelta(days=2))
        assert partitions.drop_expired(connection) == [f"messages_{today - timedelta(days=5):%Y_%m_%d}"]
        connection.execute(
            sql.SQL("drop table realtime.{}").format(sql.Identifier(f"messages_{today + timedelta(days=2):%Y_%m_%d}"))
        )
        assert partitions.missing_days(connection) == [today + timedelta(days=2)]
        assert partitions.create_missing(connection) == [today + timedelta(days=2)]
        partitions.drop_expired(connection, retention_days=1)


def test_a_missing_partition_is_a_warning_and_the_transaction_lives(project_url: str) -> None:
    """realtime.send never raises: whoever needs to know reads the notices."""
    today = datetime.now(UTC).date()
    with psycopg.connect(project_url) as connection:
        warnings = notices_of(connection)
        connection.execute(
            sql.SQL("alter table realtime.messages detach partition realtime.{}").format(
                sql.Identifier(f"messages_{today:%Y_%m_%d}")
            )
        )
        connection.execute("select realtime.send('{}', 'e', 't')")
        assert connection.execute("select count(*) from realtime.messages").fetchone() == (0,)
        assert any("no partition of relation" in warning for warning in warnings())
        connection.rollback()


def notices_of(connection: psycopg.Connection[Any]) -> Callable[[], list[str]]:
    collected: list[str] = []
    connection.add_notice_handler(lambda notice: collected.append(notice.message_primary or ""))
    return lambda: collected
