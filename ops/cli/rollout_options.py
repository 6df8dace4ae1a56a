"""What the commands of `crossfade rollout` share: options, the database, and how they answer."""

import asyncio
import getpass
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import click
import psycopg

from ops.cli.options import database_url
from realtime_bridge.rollout.store import Connection

CONNECT_TIMEOUT_S = 5
STATEMENT_TIMEOUT_MS = 10_000  # a change waits at most 3 s for another operator's
LOCK_TIMEOUT_MS = 3_000
Result = TypeVar("Result")


def operator() -> str:
    return f"{getpass.getuser()}@{socket.gethostname()}"


def by_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--by", "actor", default=operator, show_default="your login", help="Who you are, for the audit."
    )(command)


def why_option(default: str | None = None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Without a default it is required; a default of None, said to click, would count as one."""
    help_text = "The reason, for the audit."
    if default is None:
        return click.option("--why", required=True, help=help_text)
    return click.option("--why", default=default, show_default=bool(default), help=help_text)


def run(data_dir: Path | None, act: Callable[[Connection], Coroutine[Any, Any, Result]]) -> Result:
    url = database_url(data_dir)

    async def connected() -> Result:
        options = f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c lock_timeout={LOCK_TIMEOUT_MS}"
        connecting = psycopg.AsyncConnection.connect(
            url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S, options=options
        )
        async with await connecting as connection:
            return await act(connection)

    return asyncio.run(connected())
