"""Options that several commands share, and the stack or database meant."""

import contextlib
import os
import shlex
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import psycopg
from click.core import ParameterSource
from psycopg import AsyncConnection

from gateway.database import Connection
from ops.cli.auth_admin import AuthAdmin
from ops.embedded.ready import NotReady, read_ready
from ops.embedded.services import ROOT
from ops.errors import OpsError
from ops.terminal.reasons import DATABASE
from realtime_bridge.shared import variables
from realtime_bridge.shared.environment import Environment

DEFAULT_DATA_DIR = ROOT / ".crossfade"
DATA_DIR_VARIABLE = "CROSSFADE_DATA_DIR"
CONNECT_TIMEOUT_S = 5
# Of the dial: a change waits at most 3 s for another operator's.
BOUNDS = "-c statement_timeout=10000 -c lock_timeout=3000"
Value = TypeVar("Value")


class Word(click.ParamType[Value]):
    """A parameter of one word; `read` returns None for what is not `sentence`."""

    def __init__(self, name: str, read: Callable[[str], Value | None], sentence: str) -> None:
        self.name = name
        self._read = read
        self._sentence = sentence

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Value:
        found = self._read(str(value))
        if found is None:
            self.fail(f"{value!r} is not {self._sentence}", param, ctx)
        return found


def data_dir_option(help_text: str, **default: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    directory = click.Path(path_type=Path, file_okay=False)
    return click.option("--data-dir", type=directory, envvar=DATA_DIR_VARIABLE, help=help_text, **default)


def stack_option(help_text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add `--data-dir` to a command that needs a stack of its own or a running one."""
    where = f"{help_text}  [{DATA_DIR_VARIABLE}; default: .crossfade in the project]"
    return data_dir_option(where, default=DEFAULT_DATA_DIR)


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


def named_stack() -> Path | None:
    """Return the `--data-dir` of the running command, which CROSSFADE_DATA_DIR stands for."""
    directory: Path | None = click.get_current_context().params["data_dir"]
    return directory


def stack_dir() -> Path:
    """Return where the stack is that the running command is about."""
    return named_stack() or DEFAULT_DATA_DIR


def database_url() -> str:
    """Return the database to work on: of `--data-dir`, else DATABASE_URL, else of the stack that `up` runs here.

    CROSSFADE_DATA_DIR beside DATABASE_URL is refused: a slip would change the wrong one.
    """
    is_set = bool(os.environ.get("DATABASE_URL"))
    if is_set and _source() is ParameterSource.ENVIRONMENT:
        raise OpsError(f"DATABASE_URL and {DATA_DIR_VARIABLE} are both set: unset one, or say --data-dir.")
    named = named_stack()
    if named is None and is_set:
        return note_database("DATABASE_URL", variables.database_url(Environment(os.environ)))
    try:
        return note_database(f"the stack on {stack_dir()}", read_ready(stack_dir()).database_url)
    except NotReady:
        if named is not None:
            raise
        raise NotReady(
            f"Set DATABASE_URL, name the --data-dir of a running stack (or set {DATA_DIR_VARIABLE}), or start one "
            "with ./ops/up."
        ) from None


def open_database() -> Connection:
    """Connect to the database that `database_url` finds: each statement is a transaction."""
    return psycopg.connect(database_url(), autocommit=True, connect_timeout=CONNECT_TIMEOUT_S)


@contextlib.asynccontextmanager
async def open_dial() -> AsyncIterator[AsyncConnection[Any]]:
    """Connect to the same for what the bridge's code does, with every wait bounded."""
    connecting = AsyncConnection.connect(
        database_url(), autocommit=True, connect_timeout=CONNECT_TIMEOUT_S, options=BOUNDS
    )
    async with await connecting as connection:
        yield connection


def key_env() -> str:
    """Return the word in new keys: CROSSFADE_ENV where it is set, else that of the stack that is worked on."""
    env = Environment(os.environ)
    if env.optional("CROSSFADE_ENV") or (named_stack() is None and env.optional("DATABASE_URL")):
        return variables.key_env(env)
    return read_ready(stack_dir()).key_env


def auth_admin() -> AuthAdmin:
    """Return the Auth API to work on, found as the database is: of the stack, or SUPABASE_URL with its secret key."""
    env = Environment(os.environ)
    if named_stack() is None and env.optional("DATABASE_URL", "SUPABASE_SECRET_KEY"):
        url, key = variables.supabase_url(env), variables.supabase_secret_key(env)
        if url is None or key is None:
            raise OpsError("Set SUPABASE_URL and SUPABASE_SECRET_KEY: users are made through the project's Auth API.")
        return AuthAdmin(url=url, secret_key=key, public_key=variables.supabase_public_key(env))
    ready = read_ready(stack_dir())
    return AuthAdmin(url=ready.supabase_url, secret_key=ready.service_role_key, public_key=ready.anon_key)


def _source() -> ParameterSource | None:
    """Where `--data-dir` of the running command comes from; None outside of a command."""
    context = click.get_current_context(silent=True)
    return context.get_parameter_source("data_dir") if context else None
