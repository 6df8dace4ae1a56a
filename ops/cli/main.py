"""The `crossfade` command. Each subcommand is a module of its own, imported only when it is asked for."""

import importlib
import importlib.metadata
import os
import sys

import click
import psycopg

from ops.errors import OpsError
from ops.terminal.reasons import DATABASE, explain
from ops.terminal.stop_signals import INTERRUPTED_EXIT_CODE, take_over
from realtime_bridge.rollout.dial.errors import RolloutError
from realtime_bridge.shared.environment import ConfigurationError, misspelt

COMMANDS = {  # command -> module that holds a click command of the same name
    "up": "ops.cli.up",
    "demo": "ops.cli.demo",
    "migrate": "ops.cli.migrate",
    "accounts": "ops.cli.accounts",
    "keys": "ops.cli.keys",
    "relay": "ops.cli.relay",
    "rollout": "ops.cli.rollout.command",
    "operators": "ops.cli.operators",
    "parity": "ops.cli.parity.command",
    "seed": "ops.cli.seed",
    "supabase": "ops.cli.supabase",
    "users": "ops.cli.users",
    "webhooks": "ops.cli.webhooks.command",
    "version": "ops.cli.version",
}
EXPLAINED = (OpsError, ConfigurationError, RolloutError, psycopg.Error)  # their text says all there is to know


class CommandGroup(click.Group):
    """Imports lazily, shows an error of ours as one sentence instead of a traceback, and takes Ctrl-C for an answer."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        command = getattr(importlib.import_module(COMMANDS[cmd_name]), cmd_name)
        if not isinstance(command, click.Command):
            raise TypeError(f"{COMMANDS[cmd_name]}.{cmd_name} is not a click command.")
        return command

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, click.Abort):  # a question of click's turns Ctrl-C into Abort
            if sys.stderr.isatty():
                click.echo(err=True)  # the terminal has written ^C
            ctx.exit(INTERRUPTED_EXIT_CODE)
        except EXPLAINED as error:
            if ctx.params["debug"]:
                raise
            raise click.ClickException(explain(error, ctx.meta.get(DATABASE))) from error


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(importlib.metadata.version("crossfade"), message="crossfade %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of an error, too.")
def main(*, debug: bool) -> None:  # noqa: ARG001 the group looks at it
    """Move a live chat from home-grown sockets to Supabase Realtime.

    \b
    Exit codes, of every command:
      0    done
      1    failed; the reason is one sentence on stderr
      2    the command line makes no sense
      130  stopped by Ctrl-C
    """  # noqa: D301  click's mark for "do not wrap" is a real backspace
    take_over()
    for sentence in misspelt(os.environ):
        click.echo(f"Warning: {sentence}", err=True)


if __name__ == "__main__":
    main()
