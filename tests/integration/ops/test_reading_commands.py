"""Commands that only read: they work where nothing can be written, and leave the database as it was."""

from uuid import UUID

import psycopg
import pytest
from click.testing import CliRunner
from psycopg import sql
from psycopg.rows import DictRow

from ops.cli.main import main
from tests.conftest import one
from tests.factories import append_message, make_conversation, make_user, make_webhook
from tests.integration.ops.test_output import leaves
from tests.integration.rollout.stages import FLAG, put_slots, put_stage
from tests.integration.webhooks.conftest import BOX

READING = (
    "rollout status",
    "rollout gate",
    "rollout audit",
    "rollout policy",
    "rollout plan",
    "rollout left",
    "rollout override list",
    "rollout bucket 00000000-0000-0000-0000-000000000000",
    "operators list",
    "relay status",
    "relay parked",
    "parity report",
    "parity watch --times 1",
    "webhooks list --account {account}",
    "webhooks attempts {webhook}",
    "keys list",
    "users list --account {account}",
    "accounts show {account}",
    "version",
)
WRITING = (
    *("accounts set", "keys create", "keys revoke", "migrate", "operators add", "operators revoke", "relay replay"),
    *("rollout advance", "rollout approve", "rollout override add", "rollout override remove", "rollout rollback"),
    *("rollout set", "seed", "users allow", "users create", "users evict", "users forbid", "users scope"),
    *("webhooks enable", "webhooks pause", "webhooks resume"),
    *("webhooks listen", "webhooks recover", "webhooks replay", "webhooks retry", "demo", "supabase start", "up"),
)
TABLES = (
    "select format('%I.%I', schemaname, tablename) as name from pg_tables"
    " where schemaname in ('public', 'crossfade', 'realtime', 'auth')"
    " and has_table_privilege(format('%I.%I', schemaname, tablename), 'select')"
)


def content(conn: psycopg.Connection[DictRow]) -> dict[str, str]:
    """Return a digest of every table's rows."""
    return {
        row["name"]: one(
            conn, f"select coalesce(md5(string_agg(t::text, '|' order by t::text)), '') as digest from {row['name']} t"
        )["digest"]
        for row in conn.execute(TABLES).fetchall()
    }


@pytest.fixture
def account(conn: psycopg.Connection[DictRow]) -> str:
    """An account with a message, and a dial whose windows are there to be closed and judged."""
    user = make_user(conn)
    append_message(conn, make_conversation(conn, user))
    conn.execute(
        "insert into rollout_keepers (flag, lease_owner, lease_until) values (%s, 'a bridge', 'infinity')", (FLAG,)
    )
    put_stage(conn, "10")
    put_slots(conn)
    return str(user)


@pytest.fixture
def webhook(conn: psycopg.Connection[DictRow], account: str) -> int:
    return make_webhook(conn, UUID(account), "https://example.com/hooks", BOX)


def test_every_command_is_said_to_read_or_to_write() -> None:
    """A new one is looked at below, or stands among those that change something."""
    reading = {path for path, _ in leaves(main) if any(f"{line} ".startswith(f"{path} ") for line in READING)}
    assert reading | set(WRITING) == {path for path, _ in leaves(main)}
    assert not reading & set(WRITING)


def test_reading_never_writes(database_url: str, conn: psycopg.Connection[DictRow], account: str, webhook: int) -> None:
    """Every reading command, on a standby or with a role that may not write; not a row differs afterwards."""
    before = content(conn)
    read_only = sql.SQL("alter database {} set default_transaction_read_only = on")
    conn.execute(read_only.format(sql.Identifier(conn.info.dbname)))
    for line in READING:
        words = line.format(account=account, webhook=webhook).split()
        result = CliRunner().invoke(main, words, env={"DATABASE_URL": database_url})
        assert result.exit_code == 0, (line, result.output)
    assert content(conn) == before
