"""View of the demo: a live table, lines, or JSON lines. On a terminal, elsewhere, for scripts."""

from typing import Self

import click
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from ops.demo.tracker import Arrival, SideName, Tracker
from ops.terminal.output import encode, picked

TITLES = {SideName.SUPABASE: "Supabase Realtime", SideName.SOCKETIO: "Socket.IO"}
ROWS = 20  # newest messages on the screen


def choose_view(tracker: Tracker, *, as_json: bool) -> "LineView":
    console = Console()
    if as_json:
        return JsonView(tracker, console)
    return TableView(tracker, console) if console.is_terminal else LineView(tracker, console)


class LineView:
    """A line per arrival, and one for what else there is to say. Entered while the demo runs."""

    def __init__(self, tracker: Tracker, console: Console | None = None) -> None:
        self._tracker = tracker
        self._console = console or Console()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def show_watching(self, conversation_id: int) -> None:
        self._console.print(f"watching conversation {conversation_id}; Ctrl-C ends", highlight=False)

    def show(self, arrival: Arrival) -> None:
        repeat = " (repeat)" if arrival.repeat else ""
        text = f"{arrival.side.value:<9} seq {arrival.seq:<4} {_milliseconds(arrival):>9}  {arrival.content}{repeat}"
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def show_closed(self, side: SideName, reason: str) -> None:
        """Say why a side brings nothing any more; above the table, where there is one."""
        text = f"{TITLES[side]} was closed by the bridge: {reason}"
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def show_summary(self) -> None:
        for side, title in TITLES.items():
            summary = self._tracker.summary(side)
            of = f" of {len(self._tracker.sent)}" if self._tracker.sent else ""
            order = "in order" if summary.in_order else "[red]out of order[/]"
            time = f", p50 {summary.p50_ms} ms, max {summary.max_ms} ms" if summary.received else ""
            self._console.print(
                f"[bold]{title}[/]: {summary.received}{of} arrived, {order}, {summary.repeats} repeats{time}",
                highlight=False,
                soft_wrap=not self._console.is_terminal,  # in a pipe a side is a line
            )


class TableView(LineView):
    def __init__(self, tracker: Tracker, console: Console) -> None:
        super().__init__(tracker, console)
        self._live = Live(self._table(), console=console, refresh_per_second=10)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.update(self._table())
        self._live.stop()

    def show(self, arrival: Arrival) -> None:  # noqa: ARG002  the table shows all of them
        self._live.update(self._table())

    def _table(self) -> Table:
        table = Table(title="One message, both worlds", caption="latency from the send to the arrival")
        table.add_column("seq", justify="right")
        table.add_column("message", overflow="ellipsis", max_width=40)
        for title in TITLES.values():
            table.add_column(title, justify="right")
        rows: dict[str, dict[SideName, Arrival]] = {}
        for arrival in self._tracker.arrivals:
            rows.setdefault(arrival.event_id, {}).setdefault(arrival.side, arrival)
        for sides in list(rows.values())[-ROWS:]:
            one = next(iter(sides.values()))
            times = [_milliseconds(sides[side]) if side in sides else "…" for side in TITLES]
            table.add_row(str(one.seq), escape(one.content), *times)
        return table


class JsonView(LineView):
    """One object per arrival, then `{"summary": {…}}`; `{"watching": id}` when the sending is over.

    `{"closed": {…}}` says of a side that nothing comes from there any more, and why.
    """

    def show_watching(self, conversation_id: int) -> None:
        click.echo(encode({"watching": conversation_id}))

    def show(self, arrival: Arrival) -> None:
        latency_ms = round(1000 * arrival.latency_s, 1)
        seen = picked(arrival, "side", "event_id", "seq")
        click.echo(encode({**seen, "latency_ms": latency_ms, "repeat": arrival.repeat}))

    def show_closed(self, side: SideName, reason: str) -> None:
        click.echo(encode({"closed": {"side": side, "reason": reason}}))

    def show_summary(self) -> None:
        sides = {side.value: self._tracker.summary(side) for side in SideName}
        click.echo(encode({"summary": {"sent": len(self._tracker.sent), **sides}}))


def _milliseconds(arrival: Arrival) -> str:
    return f"{1000 * arrival.latency_s:.1f} ms"
