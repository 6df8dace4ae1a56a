"""`crossfade demo`: watch one message reach Supabase and Socket.IO clients, side by side. The work is in `ops.demo`."""

import asyncio
import logging
import signal
import sys
from pathlib import Path

import click

from ops.cli.options import again, stack_option
from ops.embedded.ready import read_ready
from ops.embedded.stop_signals import INTERRUPTED_EXIT_CODE

DEFAULT_COUNT = 5


@click.command()
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
    from ops.demo.sides import DemoError
    from ops.demo.tracker import Tracker
    from ops.demo.view import choose_view

    logging.getLogger("realtime").setLevel(logging.CRITICAL)  # it logs what it then raises
    ready = read_ready(data_dir.resolve())
    tracker = Tracker()
    view = choose_view(tracker, as_json=as_json)

    number = count if count is not None else 0 if watch else DEFAULT_COUNT
    if silent := asyncio.run(unfed(ready)):
        sentence = f"{silent[0]} Type: {again(silent[1]) if silent[1].startswith('crossfade') else silent[1]}"
        if number:
            raise DemoError(sentence)
        click.echo(sentence, err=True)

    stopped_by = asyncio.run(Demo(ready, tracker, view).run(count=number, watch=watch))
    view.show_summary()
    if complaint := tracker.complaint():
        raise DemoError(complaint)
    if stopped_by == signal.SIGINT:
        sys.exit(INTERRUPTED_EXIT_CODE)
