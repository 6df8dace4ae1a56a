"""Options of `crossfade rollout`: who acts, and looks that are repeated."""

import functools
import getpass
import itertools
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import click

from realtime_bridge.rollout import operators
from realtime_bridge.rollout.dial.errors import OperatorRefused
from realtime_bridge.rollout.dial.store import Connection
from realtime_bridge.rollout.operators import VARIABLE, Who

by_option = click.option(
    "--by", "actor", show_default="your login", help=f"Who you are, for the audit; with {VARIABLE} the key says it."
)


def why_option(default: str | None = None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Without a default it is required; a default of None, said to click, would count as one."""
    settled: dict[str, Any] = {"default": default, "show_default": bool(default)}
    return click.option(
        "--why", **({"required": True} if default is None else settled), help="The reason, for the audit."
    )


def watched(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command look again and again: on a terminal in place, as JSON or into a file one after the other."""

    @click.option("--watch", "is_watching", is_flag=True, help="Look again and again, until Ctrl-C.")
    @every_option(2.0, most_s=3_600)
    @click.option("--times", type=click.IntRange(1), help="With --watch: stop after so many looks.")
    @functools.wraps(command)
    def looking(*, is_watching: bool, every_s: float, times: int | None, **arguments: Any) -> None:
        for _ in looks(every_s, times) if is_watching else [1]:
            if is_watching and not arguments["as_json"] and sys.stdout.isatty():
                click.clear()
            command(**arguments)

    return looking


def every_option(default_s: float, *, most_s: float) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(
        "--every", "every_s", type=click.FloatRange(0.2, most_s), default=default_s, show_default=True, help="Seconds."
    )


def looks(every_s: float, times: int | None) -> Iterator[int]:
    """Yield now and after each pause, for ever without `times`."""
    for look in itertools.count() if times is None else range(times):
        if look:
            time.sleep(every_s)
        yield look


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
