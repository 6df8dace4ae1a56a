"""`crossfade up`: all of Crossfade on this machine, embedded. The work is in `ops.embedded.stack`."""

import asyncio
import functools
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console

from ops.cli import banner
from ops.cli.options import DEFAULT_DATA_DIR, stack_option
from ops.demo.feeding import unfed
from ops.embedded.ready import Ready
from ops.embedded.stack import Stack
from ops.local_supabase.options import behaviour_options, process_options
from ops.machine.supervisor import Stopped
from ops.terminal.progress import Progress
from ops.terminal.stop_signals import StopSignals

PORT = click.IntRange(0, 65535)


@click.command()
@stack_option("Where data, logs and ready.json live.")
@click.option("--fresh", is_flag=True, help="Remove the data of earlier runs first.")
@click.option("--gateway-port", type=PORT, default=8000, show_default=True, help="REST API; 0 takes any free port.")
@click.option("--bridge-port", type=PORT, default=8001, show_default=True, help="Legacy sockets.")
@click.option("--supabase-port", type=PORT, default=54321, show_default=True, help="Supabase endpoint.")
@click.option(
    "--postgres-port", "--db-port", "postgres_port", type=PORT, default=54322, show_default=True, help="Database."
)
@behaviour_options
@click.option("--allow-public", is_flag=True, help="Let the Supabase endpoint open public channels, too.")
@click.option("--verbose", is_flag=True, help="Show the log lines of every process on stderr.")
@click.option("--json", "as_json", is_flag=True, help="When ready, print the facts as one line of JSON instead.")
def up(
    *,
    data_dir: Path,
    fresh: bool,
    gateway_port: int,
    bridge_port: int,
    supabase_port: int,
    postgres_port: int,
    plan: str,
    slot_delay_s: float,
    allow_public: bool,
    verbose: bool,
    as_json: bool,
) -> None:
    """Start all of Crossfade on this machine, for development.

    Postgres, Redis and a Supabase endpoint come along; a demo account is there to play with. While it runs,
    ready.json in the data directory holds the facts for scripts. A process that dies is restarted.

    Ctrl-C or SIGTERM stops everything; the data stays. Exit code 0, or 130 after Ctrl-C; 1 when something is in the
    way or a process cannot be kept alive.
    """
    ports = {"gateway": gateway_port, "bridge": bridge_port, "supabase": supabase_port, "postgres": postgres_port}
    supabase = process_options(plan=plan, slot_delay_s=slot_delay_s, private_only=not allow_public)
    with StopSignals() as stop:
        stack = Stack(
            data_dir=data_dir,
            ports=ports,
            fresh=fresh,
            supabase=supabase,
            progress=Progress(Console(stderr=True)),
            should_stop=stop.is_set,
            echo=functools.partial(click.echo, err=True) if verbose else None,
        )
        try:
            with stack.running() as ready:
                if as_json:
                    click.echo(ready.to_json())
                else:
                    show_banner(Console(), ready, data_dir)
                stack.watch()
        except Stopped:
            pass
    sys.exit(stop.exit_code)


def show_banner(console: Console, ready: Ready, data_dir: Path) -> None:
    """Say what runs, derived from what is fed now."""
    banner.show(console, ready, data_dir.resolve(), asyncio.run(unfed(ready)), _speller(data_dir))


def _speller(data_dir: Path) -> Callable[[str], str]:
    """Return what writes a command as the person here types it: this same `crossfade`, short where it can be."""
    program = Path(sys.argv[0]).absolute()
    if program.is_relative_to(Path.cwd()):
        program = program.relative_to(Path.cwd())
    options = [] if data_dir == DEFAULT_DATA_DIR else ["--data-dir", str(data_dir)]

    def spell(command: str) -> str:
        words = [str(program) if word == "crossfade" else word for word in shlex.split(command)]
        return shlex.join([*words, *options])

    return spell
