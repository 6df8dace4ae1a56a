"""What the commands of `crossfade rollout` share: options, the database, who acts, and looks that are repeated."""

import asyncio
import getpass
import os
import socket
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import click
import psycopg

from ops.cli.options import database_url
from realtime_bridge.rollout import operators
from realtime_bridge.rollout.dial.errors import OperatorRefused
from realtime_bridge.rollout.dial.store import Connection
from realtime_bridge.rollout.operators import VARIABLE, Who

CONNECT_TIMEOUT_S = 5
STATEMENT_TIMEOUT_MS = 10_000  # a change waits at most 3 s for another operator's
LOCK_TIMEOUT_MS = 3_000
Result = TypeVar("Result")


def by_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--by", "actor", show_default="your login", help=f"Who you are, for the audit; with {VARIABLE} the key says it."
    )(command)


def why_option(default: str | None = None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Without a default it is required; a default of None, said to click, would count as one."""
    help_text = "The reason, for the audit."
    if default is None:
        return click.option("--why", required=True, help=help_text)
    return click.option("--why", default=default, show_default=bool(default), help=help_text)


def watch_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--times", type=click.IntRange(1), help="With --watch: stop after so many looks."),
        click.option(
            "--every", "every_s", type=click.FloatRange(0.2, 3_600), default=2.0, show_default=True, help="Seconds."
        ),
        click.option("--watch", "is_watching", is_flag=True, help="Look again and again, until Ctrl-C."),
    ):
        command = option(command)
    return command


def look(show: Callable[[], None], *, is_watching: bool, every_s: float, times: int | None, as_json: bool) -> None:
    """Show once, or again and again: on a terminal in place, as JSON or into a file one after the other."""
    looks = 0
    while True:
        if is_watching and not as_json and sys.stdout.isatty():
            click.clear()
        show()
        looks += 1
        if not is_watching or looks == times:
            return
        time.sleep(every_s)


async def identify(connection: Connection, actor: str | None, *, is_needed: bool = True) -> Who:
    """Return who acts: the key's owner, or without a key whoever says so, as long as nobody has one.

    Where it is not needed (the kill switch) a missing or wrong key is no obstacle. Raises OperatorRefused.
    """
    said = Who(actor=actor or f"{getpass.getuser()}@{socket.gethostname()}")
    key = os.environ.get(VARIABLE, "").strip()
    if not key:
        if not is_needed or not await operators.lines(connection):
            return said
        key = _ask_for_key()
    try:
        who = await operators.identify(connection, key)
    except OperatorRefused as reason:
        if is_needed:
            raise
        click.echo(f"Without a key, for {reason}", err=True)
        return said
    if is_needed and actor and actor.casefold() != who.actor.casefold():
        raise OperatorRefused(f"The key is that of {who.actor}, and --by says {actor}: leave --by out.")
    return who


def shown_once(name: str, key: str) -> str:
    return f"{key}\nThis is the only time the key of {name} is shown. It goes into {VARIABLE}."


def _ask_for_key() -> str:
    if not sys.stdin.isatty():
        raise OperatorRefused(
            f"Operators have keys here: set {VARIABLE} to yours. Who has none is given one by an operator, with "
            "crossfade operators add NAME."
        )
    return str(click.prompt("Your operator key", hide_input=True, err=True))


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
