"""The `crossfade` command itself: what it lists, and how it fails."""

import json
import re
from pathlib import Path

import click
import psycopg
import pytest
from alembic.util.exc import CommandError
from click.testing import CliRunner

from ops import errors, migration
from ops.cli import main as cli
from ops.errors import OpsError
from realtime_bridge.environment import ConfigurationError


def run(*arguments: str, **environment: str) -> "click.testing.Result":
    return CliRunner().invoke(cli.main, arguments, env=environment)


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_listed_command_is_there(name: str) -> None:
    """What --help lists can be run, and documents itself."""
    result = run(name, "--help")
    assert result.exit_code == 0, result.output
    assert name in run("--help").output


def test_an_unknown_command_is_a_usage_error() -> None:
    """A typo is answered with exit code 2 and help."""
    result = run("upp")
    assert result.exit_code == 2
    assert "upp" in result.stderr


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OpsError("Port 1 is taken."), "Port 1 is taken."),
        (ConfigurationError("Set DATABASE_URL."), "Set DATABASE_URL."),
        (psycopg.OperationalError("connection failed:\n  refused\n"), "connection failed: refused"),
        (psycopg.OperationalError(), "OperationalError"),
    ],
)
def test_an_error_of_ours_is_one_sentence(monkeypatch: pytest.MonkeyPatch, error: Exception, sentence: str) -> None:
    """The reason goes to stderr as one line, with exit code 1; --debug shows the traceback instead."""

    @click.command()
    def failing() -> None:
        raise error

    monkeypatch.setattr(cli.CommandGroup, "get_command", lambda *_: failing)
    result = run("version")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", f"Error: {sentence}\n")
    assert run("--debug", "version").exception is error


def test_the_version_is_told_in_both_forms() -> None:
    """`crossfade version --json` is for reports, `--version` for people."""
    told = json.loads(run("version", "--json").stdout)
    assert run("--version").stdout == f"crossfade {told['crossfade']}\n"


def test_migrate_names_the_variable_it_needs() -> None:
    """Without DATABASE_URL the sentence says so."""
    result = run("migrate", DATABASE_URL="")
    assert (result.exit_code, result.stderr) == (1, "Error: Set DATABASE_URL: it has no default.\n")


def test_migrate_reports_an_unreachable_database_in_one_sentence() -> None:
    """A refused connection is no traceback."""
    result = run("migrate", DATABASE_URL="postgresql://postgres@127.0.0.1:1/postgres")
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: connection failed")


def test_a_database_of_a_newer_version_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """An older Crossfade on newer data says so, instead of showing Alembic's traceback."""

    def upgrade(_: str, **_options: object) -> None:
        raise CommandError("Can't locate revision identified by '9999'")

    monkeypatch.setattr(migration, "upgrade", upgrade)
    result = run("migrate", DATABASE_URL="postgresql://postgres@127.0.0.1:1/postgres")
    assert result.exit_code == 1
    assert "not one that this version of Crossfade knows" in result.stderr


def test_the_tree_of_errors_is_drawn_whole() -> None:
    """Whoever reads ops/errors.py sees every error that ends a command."""
    sources = [path.read_text() for path in Path(errors.__file__).parent.rglob("*.py")]
    classes = {name for text in sources for name in re.findall(r"^class (\w+)\(OpsError\)", text, re.MULTILINE)}
    assert classes == set(re.findall(r"[├└]── (\w+)", errors.__doc__ or ""))
