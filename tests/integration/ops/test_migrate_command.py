"""`crossfade migrate`, and what the other commands say before it ran."""

import json
from collections.abc import Iterator

import psycopg
import pytest
from click.testing import CliRunner, Result
from psycopg import sql

from migrations.upgrade import downgrade
from ops.cli.main import main
from ops.local_supabase.database import apply_shape
from ops.machine.postgres import EmbeddedPostgres

NAME = "crossfade_unmigrated"


@pytest.fixture
def empty_url(postgres_server: EmbeddedPostgres, template_database: str) -> Iterator[str]:
    """A database of Supabase's shape that no migration has seen."""
    assert template_database  # with it came the roles
    with psycopg.connect(postgres_server.admin_url(), autocommit=True) as connection:
        connection.execute(sql.SQL("create database {} owner postgres").format(sql.Identifier(NAME)))
        apply_shape(postgres_server.admin_url(NAME))
        yield postgres_server.url(NAME)
        connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(NAME)))


def crossfade(database_url: str, *words: str) -> Result:
    return CliRunner().invoke(main, words, env={"DATABASE_URL": database_url, "CROSSFADE_DATA_DIR": ""})


def test_migrate_says_what_it_did(empty_url: str) -> None:
    """The first run made the schema, the second found it there, and one after an older version says from where."""
    made = crossfade(empty_url, "migrate")
    assert made.exit_code == 0, made.output
    assert made.stdout.startswith("The schema was made: version ")
    newest = made.stdout.split()[-1].rstrip(".")
    assert crossfade(empty_url, "migrate").stdout == f"The schema is up to date: version {newest}.\n"
    downgrade(empty_url, "-1")
    document = json.loads(crossfade(empty_url, "migrate", "--json").stdout)
    assert document == {"migrated": True, "from": document["from"], "to": newest}
    assert document["from"] < newest
    downgrade(empty_url, "-1")
    brought = crossfade(empty_url, "migrate").stdout
    assert brought == f"The schema was brought from version {document['from']} to {newest}.\n"
    assert json.loads(crossfade(empty_url, "migrate", "--json").stdout)["from"] == newest


@pytest.mark.parametrize(
    "command",
    [
        ("keys", "list"),
        ("relay", "status"),
        ("relay", "parked"),
        ("rollout", "status"),
        ("operators", "list"),
        ("parity", "report"),
        ("users", "list", "--account", "00000000-0000-0000-0000-000000000001"),
        ("webhooks", "list", "--account", "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_before_migrate_every_command_says_so(postgres_server: EmbeddedPostgres, command: tuple[str, ...]) -> None:
    """In one sentence that names the command, whatever the statement missed first."""
    refused = crossfade(postgres_server.admin_url("template1"), *command)
    assert refused.exit_code == 1
    assert refused.output == "Error: The schema of Crossfade is not there, or older: run `crossfade migrate` first.\n"
