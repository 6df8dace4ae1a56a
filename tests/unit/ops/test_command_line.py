"""The `crossfade` command itself: what it lists, and how it fails."""

import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import click
import psycopg
import pytest
from alembic.util.exc import CommandError
from click.testing import CliRunner

from ops import errors, migration
from ops.cli import main as cli
from ops.errors import OpsError
from realtime_bridge.shared.environment import ConfigurationError


def run(*arguments: str, **environment: str) -> "click.testing.Result":
    return CliRunner().invoke(cli.main, arguments, env=environment)


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_listed_command_is_there(name: str) -> None:
    """What --help lists can be run, and documents itself."""
    result = run(name, "--help")
    assert result.exit_code == 0, result.output
    assert name in run("--help").output


def test_every_choice_is_typed_as_it_is_shown_elsewhere() -> None:
    """Click shows and takes an enum's member by its name in Python: no choice may be one."""

    def choices(command: click.Command) -> Iterator[object]:
        context = click.Context(command)
        for parameter in command.params:
            if isinstance(parameter.type, click.Choice):
                yield from parameter.type.choices
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                yield from choices(command.get_command(context, name) or command)

    assert {type(choice) for choice in choices(cli.main)} == {str}


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
    assert line.startswith("Error: The database of DATABASE_URL cannot be used: connection failed")


@pytest.mark.parametrize("password", ["secret", "se%cret", "se@cret", "q%zz@secret"])
@pytest.mark.parametrize("command", [("keys", "list"), ("relay", "status"), ("rollout", "status"), ("migrate",)])
def test_a_database_that_cannot_be_used_is_named_without_its_password(command: tuple[str, ...], password: str) -> None:
    """By the variable that says where it is; no part of the password stands in the sentence."""
    url = f"postgresql://postgres:{password}@127.0.0.1:1/postgres"
    result = run(*command, DATABASE_URL=url, CROSSFADE_DATA_DIR="")
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: The database of DATABASE_URL cannot be used: ")
    assert "cret" not in line
    assert "zz" not in line


def test_the_short_help_of_every_command_is_whole() -> None:
    """Neither `crossfade --help` nor a group's cuts a sentence on a terminal of 80 columns."""
    cut = [
        line.strip()
        for group in ((), *((name,) for name in cli.COMMANDS), ("rollout", "override"))
        for line in run(*group, "--help", COLUMNS="80").output.partition("\nCommands:\n")[2].splitlines()
        if line.endswith("...")
    ]
    assert cut == []


def test_both_stacks_take_the_same_names_for_their_ports() -> None:
    """`up` and `supabase start` are told the endpoint's and the database's port in the same words."""
    up = importlib.import_module("ops.cli.up").up
    start = importlib.import_module("ops.cli.supabase").start
    options = [{name for one in command.params for name in one.opts} for command in (up, start)]
    for name in ("--supabase-port", "--postgres-port", "--db-port"):
        assert all(name in each for each in options), name


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
