"""`crossfade supabase`: a local Realtime and Auth without Docker, for any project."""

import json
import os
import sys
import time
from pathlib import Path

import click
from rich.console import Console

from ops.cli.options import DATA_DIR_VARIABLE, DEFAULT_DATA_DIR
from ops.errors import OpsError
from ops.local_supabase.launcher import Facts, LocalSupabase
from ops.local_supabase.options import behaviour_options
from ops.terminal.progress import Progress
from ops.terminal.stop_signals import StopSignals

PORT = click.IntRange(0, 65535)
WATCH_S = 0.2  # how soon a process that died is noticed


def _default_data_dir() -> Path:
    """A directory of its own beside what `up` keeps."""
    return Path(os.environ.get(DATA_DIR_VARIABLE) or DEFAULT_DATA_DIR) / "supabase"


@click.group()
def supabase() -> None:
    """Run a local Supabase (Realtime, Auth, Postgres) without Docker."""


@supabase.command(short_help="Start Postgres and the endpoint, and run until Ctrl-C.")
@click.option(
    "--port", "--supabase-port", "port", type=PORT, default=54321, show_default=True, help="API; 0 takes any free port."
)
@click.option(
    "--db-port",
    "--postgres-port",
    "db_port",
    type=PORT,
    default=54322,
    show_default=True,
    help="Postgres; 0 takes any free port.",
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=_default_data_dir,
    help="Where the database lives.  [default: supabase in CROSSFADE_DATA_DIR, or in .crossfade in the project]",
)
@behaviour_options
@click.option(
    "--private-only", is_flag=True, help="Refuse public channels, as a project whose public access is switched off."
)
@click.option("--json", "as_json", is_flag=True, help="When ready, print the facts as one line of JSON instead.")
def start(
    *, port: int, db_port: int, data_dir: Path, plan: str, slot_delay_s: float, private_only: bool, as_json: bool
) -> None:
    """Start Postgres and the endpoint, print URLs and keys, and run until Ctrl-C.

    The ports, the JWT secret and the keys are the Supabase CLI's own; SUPABASE_JWT_SECRET, SUPABASE_PUBLISHABLE_KEY
    and SUPABASE_SECRET_KEY choose others.
    """
    progress = Progress(Console(stderr=True))
    stack = LocalSupabase(
        data_dir,
        port=port,
        database_port=db_port,
        plan=plan,
        slot_delay_s=slot_delay_s,
        private_only=private_only,
        step=progress.step,
        say=progress.say,
    )
    with StopSignals() as stop, stack as running:
        facts = running.facts.as_environment()
        click.echo(json.dumps(facts) if as_json else _screen(running.facts, data_dir))
        while not stop.is_set():
            problem = running.poll()
            if problem is not None:
                raise OpsError(problem)
            time.sleep(WATCH_S)
    sys.exit(stop.exit_code)


def _screen(facts: Facts, data_dir: Path) -> str:
    lines = [
        ("API URL", facts.api_url),
        ("Realtime URL", f"{facts.api_url.replace('http', 'ws', 1)}/realtime/v1"),
        ("DB URL", facts.db_url),
        ("Publishable key", facts.publishable_key),
        ("Secret key", facts.secret_key),
        ("anon key", facts.anon_key),
        ("service_role key", facts.service_role_key),
        ("JWT secret", facts.jwt_secret),
    ]
    width = max(len(name) for name, _ in lines)
    values = [f"{name:>{width}}: {value}" for name, value in lines]
    return "\n".join(["Local Supabase is running. Ctrl-C stops it.", "", *values, "", f"Data: {data_dir.resolve()}"])
