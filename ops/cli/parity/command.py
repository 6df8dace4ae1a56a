"""`crossfade parity`: what a client sees on each side, beside the log. Live, and as a report."""

import asyncio
import contextlib
import functools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from psycopg.rows import class_row
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from ops.cli.answers import answers
from ops.cli.options import open_dial
from ops.cli.parity import plot
from ops.cli.parity.plot import Mark, Stretch
from ops.cli.rollout.options import every_option, looks
from ops.terminal.output import Column, encode, tabulated
from realtime_bridge.parity import report as reports
from realtime_bridge.parity.report import SideReport
from realtime_bridge.rollout.dial.stages import FLAG
from realtime_bridge.rollout.gate import slots as windows
from realtime_bridge.rollout.gate.slots import SLOT_S
from realtime_bridge.shared import sql

COLUMNS = tuple(Column(name, name, right=name != "side") for name in plot.HEADS)
_SQL = sql.AsyncQueries(__file__)
FORMATS = ("text", "json", "png", "html")


def since_option(default_s: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(
        "--seconds",
        type=click.IntRange(SLOT_S, 30 * 86_400),
        default=default_s,
        show_default=True,
        help="How far to look back.",
    )


@click.group()
def parity() -> None:
    """Compare what clients see on both sides with the log.

    The bridge's canary sits on both sides as a client and looks for every event it commits.
    """


@parity.command(short_help="Show the last minute of both sides as it changes.")
@since_option(60)
@every_option(1.0, most_s=60)
@click.option("--times", type=click.IntRange(1), help="Stop after so many looks instead of at Ctrl-C.")
@answers
def watch(*, seconds: int, every_s: float, times: int | None, as_json: bool) -> None:
    """Show the last minute of both sides as a table that follows; --json prints a line for each look."""
    console = Console(highlight=False)
    with contextlib.ExitStack() as stack:
        show: Callable[[RenderableType], None] = console.print  # a file or a pipe keeps every look
        if console.is_terminal and not as_json:
            live = stack.enter_context(Live(console=console, auto_refresh=False))
            show = functools.partial(live.update, refresh=True)
        for _ in looks(every_s, times):
            figures = reports.summarize(asyncio.run(_stretch(seconds)).slots)
            if as_json:
                click.echo(_json(figures))
            else:
                title = f"last {seconds} s, {datetime.now(UTC):%H:%M:%S}Z"
                show(Group(_grid(figures, title, console), Text(reports.sentence(figures))))


@parity.command(short_help="Sum up a stretch of time: text, JSON or a picture.")
@since_option(3_600)
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write there; png and html need it.")
@click.option("--strict", is_flag=True, help="Exit with 1 unless both sides were measured and have parity.")
@answers
def report(*, seconds: int, form: str, output: Path | None, strict: bool, as_json: bool) -> None:
    """Sum up a stretch of time: text, JSON, or a picture as PNG or HTML page."""
    form = "json" if as_json else form
    if form in ("png", "html") and output is None:
        raise click.UsageError(f"Say where to write the {form} with --output.")
    stretch = asyncio.run(_stretch(seconds))
    figures = reports.summarize(stretch.slots)
    content = _render(form, stretch, figures)
    if output is None:
        click.echo(content)
    else:
        output.write_bytes(content if isinstance(content, bytes) else content.encode())
        click.echo(f"Written to {output}.")
    if strict and not all(one.sent and not one.lost and not one.reordered for one in figures):
        raise click.ClickException(reports.sentence(figures))


async def _stretch(seconds: int) -> Stretch:
    until = datetime.now(UTC)
    since = until - timedelta(seconds=seconds)
    async with open_dial() as connection:
        slots = await windows.read(connection, FLAG, since)
        values = {"flag": FLAG, "since": since, "until": until}
        marks = await _SQL.list_rows(connection, "stages", class_row(Mark), **values)
    return Stretch(since=since, until=until, slots=slots, marks=marks)


def _render(form: str, stretch: Stretch, figures: list[SideReport]) -> str | bytes:
    match form:
        case "json":
            return _json(figures, since=stretch.since, until=stretch.until, stages=stretch.marks)
        case "png":
            return plot.png(stretch)
        case "html":
            return plot.page(stretch)
    console = Console(highlight=False)
    with console.capture() as captured:
        console.print(_grid(figures, stretch.title, console))
    return f"{captured.get()}\n{reports.sentence(figures)}"


def _json(figures: list[SideReport], **more: object) -> str:
    return encode({**more, "sides": figures, "conclusion": reports.sentence(figures)})


def _grid(figures: list[SideReport], title: str, console: Console) -> RenderableType:
    rows = [dict(zip(plot.HEADS, plot.cells(one), strict=True)) for one in figures]
    return tabulated(rows, COLUMNS, console, title=title)
