"""`crossfade parity`: what a client sees on each side, compared with the log; live, and as a report."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import click
from psycopg.rows import class_row
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from ops.cli.options import database_option, json_option
from ops.cli.parity import plot as parity_plot
from ops.cli.parity.plot import Mark, Stretch
from ops.cli.rollout.options import run
from ops.terminal.output import Column, encode, tabulated
from realtime_bridge.parity import report as reports
from realtime_bridge.parity.report import SideReport
from realtime_bridge.rollout.dial.stages import FLAG
from realtime_bridge.rollout.dial.store import Connection
from realtime_bridge.rollout.gate import slots as windows
from realtime_bridge.rollout.gate.slots import SLOT_S
from realtime_bridge.shared import sql

COLUMNS = tuple(Column(name, name, right=name != "side") for name in parity_plot.HEADS)
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
@click.option("--every", "every_s", type=click.FloatRange(0.2, 60), default=1.0, show_default=True, help="Seconds.")
@click.option("--times", type=click.IntRange(1), help="Stop after so many looks instead of at Ctrl-C.")
@database_option
@json_option
def watch(*, seconds: int, every_s: float, times: int | None, data_dir: Path | None, as_json: bool) -> None:
    """Show the last minute of both sides as a table that follows; --json prints a line for each look."""
    if as_json:
        for figures in _looks(data_dir, seconds, every_s, times):
            click.echo(_json(figures))
        return
    console = Console(highlight=False)
    tables = (
        _table(figures, f"last {seconds} s, {datetime.now(UTC):%H:%M:%S}Z", console)
        for figures in _looks(data_dir, seconds, every_s, times)
    )
    if not console.is_terminal:  # a file or a pipe keeps every look
        for table in tables:
            console.print(table)
        return
    with Live(console=console, auto_refresh=False) as live:
        for table in tables:
            live.update(table, refresh=True)


@parity.command(short_help="Sum up a stretch of time: text, JSON or a picture.")
@since_option(3_600)
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write there; png and html need it.")
@click.option("--strict", is_flag=True, help="Exit with 1 unless both sides were measured and have parity.")
@database_option
@json_option
def report(*, seconds: int, form: str, output: Path | None, strict: bool, data_dir: Path | None, as_json: bool) -> None:
    """Sum up a stretch of time: text, JSON, or a picture as PNG or HTML page."""
    form = "json" if as_json else form
    if form in ("png", "html") and output is None:
        raise click.UsageError(f"Say where to write the {form} with --output.")
    stretch = _stretch(data_dir, seconds)
    figures = reports.summarize(stretch.slots)
    content = _render(form, stretch, figures)
    if output is None:
        click.echo(content)
    else:
        output.write_bytes(content if isinstance(content, bytes) else content.encode())
        click.echo(f"Written to {output}.")
    if strict and not all(one.sent and not one.lost and not one.reordered for one in figures):
        raise click.ClickException(reports.sentence(figures))


def _looks(data_dir: Path | None, seconds: int, every_s: float, times: int | None) -> Iterator[list[SideReport]]:
    """Yield what both sides show now, again and again."""
    for look in count():
        if look == times:
            return
        if look:
            time.sleep(every_s)
        yield reports.summarize(_stretch(data_dir, seconds).slots)


def _stretch(data_dir: Path | None, seconds: int) -> Stretch:
    until = datetime.now(UTC)
    since = until - timedelta(seconds=seconds)

    async def read(connection: Connection) -> Stretch:
        slots = await windows.read(connection, FLAG, since)
        values = {"flag": FLAG, "since": since, "until": until}
        marks = await _SQL.list_rows(connection, "stages", class_row(Mark), **values)
        return Stretch(since=since, until=until, slots=slots, marks=marks)

    return run(data_dir, read)


def _render(form: str, stretch: Stretch, figures: list[SideReport]) -> str | bytes:
    match form:
        case "json":
            return _json(figures, since=stretch.since, until=stretch.until, stages=stretch.marks)
        case "png":
            return parity_plot.png(stretch)
        case "html":
            return parity_plot.page(stretch)
    console = Console(highlight=False)
    with console.capture() as captured:
        console.print(_grid(figures, stretch.title, console))
    return f"{captured.get()}\n{reports.sentence(figures)}"


def _json(figures: list[SideReport], **more: object) -> str:
    return encode({**more, "sides": figures, "conclusion": reports.sentence(figures)})


def _table(figures: list[SideReport], title: str, console: Console) -> RenderableType:
    return Group(_grid(figures, title, console), Text(reports.sentence(figures)))


def _grid(figures: list[SideReport], title: str, console: Console) -> RenderableType:
    rows = [dict(zip(parity_plot.HEADS, parity_plot.cells(one), strict=True)) for one in figures]
    return tabulated(rows, COLUMNS, console, title=title)
