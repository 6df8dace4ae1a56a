"""Frame of a command: shared options, its database, how it answers."""

import asyncio
import functools
import inspect
from collections.abc import Callable
from typing import Any

import click

from ops.cli.options import DATA_DIR_VARIABLE, data_dir_option, open_database, open_dial
from ops.terminal.output import Answer

Act = Callable[..., Any]


def answers(act: Act) -> Callable[..., None]:
    """Make a command of `act`, with `--data-dir` and `--json`, that prints the Answer it returns.

    `act` gets a `connection` and `as_json` if it names them; the connection is an async one where `act` is async. What
    has to be refused before there is one is refused by an `act` that opens the database itself.
    """
    named = inspect.signature(act).parameters
    opened = _on_connection(act) if "connection" in named else act

    @data_dir_option(f"Work on the stack that `up` runs there, not on DATABASE_URL.  [{DATA_DIR_VARIABLE}]")
    @click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")
    @functools.wraps(act)
    def command(*, as_json: bool, **arguments: Any) -> None:
        del arguments["data_dir"]  # click keeps it for whoever opens the database
        found = opened(**arguments, **({"as_json": as_json} if "as_json" in named else {}))
        answer: Answer | None = asyncio.run(found) if inspect.iscoroutine(found) else found
        if answer is not None:
            answer.tell(as_json=as_json)

    return command


def _on_connection(act: Act) -> Act:
    async def on_dial(**arguments: Any) -> Answer | None:
        async with open_dial() as connection:
            answer: Answer | None = await act(connection, **arguments)
            return answer

    def on_database(**arguments: Any) -> Answer | None:
        with open_database() as connection:
            answer: Answer | None = act(connection, **arguments)
            return answer

    return on_dial if inspect.iscoroutinefunction(act) else on_database
