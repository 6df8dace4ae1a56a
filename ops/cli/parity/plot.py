"""Picture of both sides' course, as PNG or in a page. Used by `crossfade parity report`."""

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ops.errors import OpsError
from ops.terminal.output import moment
from realtime_bridge.parity.report import SideReport, error_rate, sentence, summarize
from realtime_bridge.rollout.dial.stages import Side
from realtime_bridge.rollout.gate.latency import percentile_ms
from realtime_bridge.rollout.gate.slots import SLOT_S, Window

HEADS = ("side", "sent", "seen", "lost", "repeated", "reordered", "errors", "p50, ms", "p95, ms", "p99, ms")
LIMIT_MS = 500  # the gate's
LIMIT_PERCENT = 1  # the gate's
COLOURS = {Side.LEGACY: "tab:blue", Side.SUPABASE: "tab:green"}
NOTHING = float("nan")
STYLE = (
    ":root{color-scheme:light}body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem}"
    "td,th{padding:.2rem .8rem;text-align:right}td:first-child,th:first-child{text-align:left}img{max-width:100%}"
    "div{overflow:auto}"
)


class PlotError(OpsError):
    """The drawing library is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The dial was turned; a first one, at the beginning, says where it stood."""

    at: datetime
    stage: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """What a report is about: slots of a stretch of time, and where the dial stood in it."""

    since: datetime
    until: datetime
    slots: Sequence[Window] = field(repr=False)
    marks: Sequence[Mark] = ()

    @property
    def title(self) -> str:
        return f"Parity from {moment(self.since)} to {moment(self.until)}"


def png(stretch: Stretch) -> bytes:
    """Return a picture. Raises PlotError without matplotlib."""
    buffer = io.BytesIO()
    draw(stretch).savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def draw(stretch: Stretch) -> Any:
    """Return the figure: latencies, what was lost, and the share of errors, each on an axis of its own."""
    try:
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
        from matplotlib.figure import Figure
    except ImportError:
        raise PlotError("Pictures need matplotlib: pip install 'crossfade[plot]'.") from None
    figure = Figure(figsize=(11, 7.5), layout="constrained")
    figure.suptitle(stretch.title)
    latencies, losses, errors = figure.subplots(3, 1, sharex=True, height_ratios=(3, 1, 1))
    for side in Side:
        _draw_side(side, [slot for slot in stretch.slots if slot.side is side], latencies, losses, errors)
    latencies.axhline(LIMIT_MS, color="tab:red", linewidth=0.8, label=f"gate, {LIMIT_MS} ms")
    latencies.set_yscale("log")
    latencies.set_ylabel("commit to client, ms")
    losses.set_ylabel(f"events in {SLOT_S} s")
    losses.set_ylim(bottom=0, top=max(1.0, losses.get_ylim()[1]))
    errors.axhline(LIMIT_PERCENT, color="tab:red", linewidth=0.8, label=f"gate, {LIMIT_PERCENT} %")
    errors.set_ylabel("of attempts, %")
    errors.set_ylim(bottom=0, top=max(2.0 * LIMIT_PERCENT, errors.get_ylim()[1]))
    errors.set_xlabel("UTC")
    errors.set_xlim(stretch.since, stretch.until)
    locator = AutoDateLocator(tz=UTC)  # type: ignore[no-untyped-call]
    errors.xaxis.set_major_locator(locator)
    errors.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=UTC))  # type: ignore[no-untyped-call]
    for axes in (latencies, losses, errors):
        for mark in stretch.marks:
            axes.axvline(mark.at, color="tab:gray", linestyle="--", linewidth=0.8)
        axes.legend(loc="upper right", fontsize="small", ncols=3)
        axes.grid(visible=True, alpha=0.3)
    for mark in stretch.marks:
        latencies.annotate(
            mark.stage, (mark.at, 1), xycoords=("data", "axes fraction"), xytext=(3, 3), textcoords="offset points"
        )
    return figure


def _draw_side(side: Side, slots: Sequence[Window], latencies: Any, losses: Any, errors: Any) -> None:
    times, colour = [slot.window_start for slot in slots], COLOURS[side]
    for share, style in ((95, "-"), (50, ":")):
        values = [percentile_ms(slot.latency_counts, share / 100) or NOTHING for slot in slots]
        latencies.plot(times, values, color=colour, linestyle=style, label=f"{side} p{share}")
    wrong = [slot.lost + slot.reordered for slot in slots]
    losses.step(times, wrong, where="post", color=colour, label=f"{side} lost or reordered")
    shares = [100 * error_rate(slot) for slot in slots]
    errors.step(times, shares, where="post", color=colour, label=f"{side} errors")


def page(stretch: Stretch) -> str:
    """Return a page that needs nothing else: sentence, table, how the dial was turned, a picture with matplotlib."""
    reports = summarize(stretch.slots)
    heads = "".join(f"<th>{name}</th>" for name in HEADS)
    title = html.escape(stretch.title)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><title>{title}</title>'
        f"<style>{STYLE}</style></head><body><main><h1>{title}</h1><p>{html.escape(sentence(reports))}</p>"
        f'<div tabindex="0"><table><tr>{heads}</tr>{"".join(_row(cells(report)) for report in reports)}</table></div>'
        f"{_picture(stretch)}{_stages(stretch.marks)}</main></body></html>\n"
    )


def _picture(stretch: Stretch) -> str:
    try:
        picture = base64.b64encode(png(stretch)).decode()
    except PlotError as error:
        return f"<p>{html.escape(str(error))}</p>"
    return f'<img alt="latencies, losses and errors of both sides" src="data:image/png;base64,{picture}">'


def _stages(marks: Sequence[Mark]) -> str:
    if not marks:
        return "<p>The dial was never turned: CHAT_REALTIME_PROVIDER says which side is fed.</p>"
    rows = "".join(_row([moment(mark.at), mark.stage]) for mark in marks)
    return f'<h2>The dial</h2><div tabindex="0"><table><tr><th>from</th><th>stage</th></tr>{rows}</table></div>'


def cells(report: SideReport) -> list[str]:
    """Return a side's figures as texts, in the order of the table's heads."""
    counts = (report.sent, report.seen, report.lost, report.repeated, report.reordered)
    latencies = (report.p50_ms, report.p95_ms, report.p99_ms)
    return [
        report.side.value,
        *(str(count) for count in counts),
        f"{report.errors} ({report.error_rate:.2%})",
        *("-" if value is None else f"{value:.0f}" for value in latencies),
    ]


def _row(texts: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<td>{html.escape(text)}</td>' for text in texts)}</tr>"
