"""Options that several commands share, and which stack or database a command works on."""

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import psycopg
from click.core import ParameterSource

from gateway.database import Connection
from ops.cli.auth_admin import AuthAdmin
from ops.embedded.ready import NotReady, read_ready
from ops.embedded.services import ROOT
from ops.errors import OpsError
from ops.terminal.reasons import DATABASE
from realtime_bridge.shared import variables as shared_variables
from realtime_bridge.shared.environment import Environment

DEFAULT_DATA_DIR = ROOT / ".crossfade"
DATA_DIR_VARIABLE = "CROSSFADE_DATA_DIR"
CONNECT_TIMEOUT_S = 5


class NoProject(OpsError):
    """The environment does not say where the project's Auth API is."""


class TwoDatabases(OpsError):
    """The environment names two databases, and only one can be meant."""


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")(command)


def database_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--data-dir`; with `database_url` it says which database a command works on."""
    return click.option(
        "--data-dir",
        type=click.Path(path_type=Path, file_okay=False),
        envvar=DATA_DIR_VARIABLE,
        help=f"Work on the stack that `up` runs there, not on DATABASE_URL.  [{DATA_DIR_VARIABLE}]",
    )(command)


def stack_option(help_text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add `--data-dir` to a command that needs a stack of its own or a running one."""
    return click.option(
        "--data-dir",
        type=click.Path(path_type=Path, file_okay=False),
        envvar=DATA_DIR_VARIABLE,
        default=DEFAULT_DATA_DIR,
        help=f"{help_text}  [{DATA_DIR_VARIABLE}; default: .crossfade in the project]",
    )


def again(command: str) -> str:
    """Return a command to type next, with the `--data-dir` that this one was typed with."""
    if _source() is not ParameterSource.COMMANDLINE:
        return command
    return f"{command} --data-dir {shlex.quote(str(click.get_current_context().params['data_dir']))}"


def note_database(name: str, url: str) -> str:
    """Remember which database the running command works on, for the sentence when it cannot; return its URL."""
    if context := click.get_current_context(silent=True):
        context.meta[DATABASE] = (name, url)
    return url


def database_url(data_dir: Path | None) -> str:
    """Return the database to work on: of `--data-dir`, else DATABASE_URL, else of the stack that `up` runs here.

    CROSSFADE_DATA_DIR stands for `--data-dir`. Beside DATABASE_URL it is refused: a slip would change the wrong one.
    """
    if os.environ.get("DATABASE_URL") and _source() is ParameterSource.ENVIRONMENT:
        raise TwoDatabases(f"DATABASE_URL and {DATA_DIR_VARIABLE} are both set: unset one, or say --data-dir.")
    if data_dir is None and not os.environ.get("DATABASE_URL"):
        try:
            return _of_stack(DEFAULT_DATA_DIR)
        except NotReady:
            raise NotReady(
                f"Set DATABASE_URL, name the --data-dir of a running stack (or set {DATA_DIR_VARIABLE}), or start one "
                "with ./ops/up."
            ) from None
    if data_dir is not None:
        return _of_stack(data_dir)
    return note_database("DATABASE_URL", shared_variables.database_url(Environment(os.environ)))


def open_database(data_dir: Path | None) -> Connection:
    """Connect to the database that `database_url` finds: each statement is a transaction."""
    return psycopg.connect(database_url(data_dir), autocommit=True, connect_timeout=CONNECT_TIMEOUT_S)


def key_env(data_dir: Path | None) -> str:
    """Return the word in new keys: CROSSFADE_ENV where it is set, else that of the stack that is worked on."""
    env = Environment(os.environ)
    if env.optional("CROSSFADE_ENV") or (data_dir is None and env.optional("DATABASE_URL")):
        return shared_variables.key_env(env)
    return read_ready(data_dir or DEFAULT_DATA_DIR).key_env


def auth_admin(data_dir: Path | None) -> AuthAdmin:
    """Return the Auth API to work on, found as the database is: of the stack, or SUPABASE_URL with its secret key."""
    env = Environment(os.environ)
    if data_dir is None and env.optional("DATABASE_URL", "SUPABASE_URL"):
        url, key = shared_variables.supabase_url(env), shared_variables.supabase_secret_key(env)
        if url is None or key is None:
            raise NoProject("Set SUPABASE_URL and SUPABASE_SECRET_KEY: users are made through the project's Auth API.")
        return AuthAdmin(url=url, secret_key=key)
    ready = read_ready(data_dir or DEFAULT_DATA_DIR)
    return AuthAdmin(url=ready.supabase_url, secret_key=ready.service_role_key)


def _of_stack(data_dir: Path) -> str:
    return note_database(f"the stack on {data_dir}", read_ready(data_dir).database_url)


def _source() -> ParameterSource | None:
    """Where `--data-dir` of the running command comes from; None outside of a command."""
    context = click.get_current_context(silent=True)
    return context.get_parameter_source("data_dir") if context else None
