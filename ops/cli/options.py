"""Options that several commands share."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ops.embedded.ready import NotReady, read_ready
from ops.embedded.services import ROOT
from realtime_bridge.environment import Environment

DEFAULT_DATA_DIR = ROOT / ".crossfade"


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")(command)


def database_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--data-dir`; with `database_url` it says which database a command works on."""
    return click.option(
        "--data-dir",
        type=click.Path(path_type=Path, file_okay=False),
        help="Work on the stack that `up` runs there, not on DATABASE_URL.",
    )(command)


def database_url(data_dir: Path | None) -> str:
    """Return the database to work on: of `--data-dir`, else DATABASE_URL, else of the stack that `up` runs here."""
    if data_dir is None and not os.environ.get("DATABASE_URL"):
        try:
            return read_ready(DEFAULT_DATA_DIR).database_url
        except NotReady:
            raise NotReady(
                "Set DATABASE_URL, name the --data-dir of a running stack, or start one with ./ops/up."
            ) from None
    if data_dir is not None:
        return read_ready(data_dir).database_url
    return Environment(os.environ).url("DATABASE_URL", schemes=("postgresql", "postgres"))
