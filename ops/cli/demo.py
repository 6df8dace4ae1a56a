"""`crossfade demo`: watch a message reach Supabase and Socket.IO clients. The work is in `ops.demo`."""

import asyncio
import contextlib
import logging
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import psycopg

from ops.cli.options import again, stack_option
from ops.embedded.ready import Ready, read_ready
from ops.errors import OpsError
from ops.terminal.stop_signals import INTERRUPTED_EXIT_CODE

if TYPE_CHECKING:
    from ops.demo.feeding import Unfed

DEFAULT_COUNT = 5
SHUT_OUT = "If its client was forbidden or evicted, stop `up` and start it again, which lets it in:"


@click.command(short_help="Watch messages arrive on both sides of a running `up`.")
@stack_option("Of the running stack.")
@click.option("--count", type=click.IntRange(0, 60), help="Messages to send.  [default: 5, with --watch none]")
@click.option("--watch", is_flag=True, help="Stay and show what others send, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON per arrival, then a summary.")
def demo(*, data_dir: Path, count: int | None, watch: bool, as_json: bool) -> None:
    """Watch messages arrive on both sides of a running `crossfade up`.

    Opens the official Python clients of Supabase Realtime and of Socket.IO as the demo client, sends messages over the
    REST API and shows each arrival with its latency. Exit code 0 when every message arrived on both sides in order;
    with --watch, 130 after Ctrl-C.
    """
    from ops.demo.feeding import unfed
    from ops.demo.run import Demo
    from ops.demo.sides import RefusedError
    from ops.demo.tracker import Tracker
    from ops.demo.view import choose_view

    logging.getLogger("realtime").setLevel(logging.CRITICAL)  # it logs what it then raises
    ready = read_ready(data_dir.resolve())
    tracker = Tracker()
    view = choose_view(tracker, as_json=as_json)

    number = count if count is not None else 0 if watch else DEFAULT_COUNT
    silent = asyncio.run(unfed(ready))
    if silent and number:
        raise OpsError(silent.sentence(again))
    if silent:
        click.echo(silent.sentence(again), err=True)

    try:
        stopped_by = asyncio.run(Demo(ready, tracker, view).run(count=number, watch=watch))
    except RefusedError as error:
        raise OpsError(f"{error}. {SHUT_OUT} {again('./ops/up')}") from error
    view.show_summary()
    if watch:
        _say_what_changed(ready, silent)
    if complaint := tracker.complaint():
        raise OpsError(complaint)
    if stopped_by == signal.SIGINT:
        sys.exit(INTERRUPTED_EXIT_CODE)


def _say_what_changed(ready: Ready, before: "Unfed | None") -> None:
    """Whoever watched while the dial was turned reads why a side fell silent; a stack that is gone says nothing."""
    from ops.demo.feeding import unfed

    with contextlib.suppress(psycopg.Error):
        now = asyncio.run(unfed(ready))
        if now and now != before:
            click.echo(now.sentence(again), err=True)
