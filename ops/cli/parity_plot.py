"""Draw the course of both sides as PNG, or as a page that holds the picture. Used by `crossfade parity report`."""

import base64
import html
import io
from collections.abc import Sequence

from ops.errors import OpsError
from realtime_bridge.parity.report import SideReport, course, sentence, summarize
from realtime_bridge.rollout.windows import Side, Window

HEADS = ("side", "sent", "seen", "lost", "repeated", "reordered", "errors", "p50, ms", "p95, ms", "p99, ms")
LIMIT_MS = 500  # the gate's
COLOURS = {Side.LEGACY: "tab:blue", Side.SUPABASE: "tab:green"}


class PlotError(OpsError):
    """The drawing library is missing."""


def png(slots: Sequence[Window]) -> bytes:
    """Return a picture: latencies above, what is wrong below. Raises PlotError without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise PlotError("Pictures need matplotlib: pip install 'crossfade[plot]'.") from None
    figure = Figure(figsize=(11, 6), layout="constrained")
    latencies, faults = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    for side in Side:
        points = course(slots, side)
        times = [point.at for point in points]
        nothing = float("nan")
        latencies.plot(times, [point.p95_ms or nothing for point in points], color=COLOURS[side], label=f"{side} p95")
        p50 = [point.p50_ms or nothing for point in points]
        latencies.plot(times, p50, color=COLOURS[side], linestyle=":", label=f"{side} p50")
        wrong = [point.lost + point.reordered for point in points]
        faults.step(times, wrong, where="post", color=COLOURS[side], label=f"{side} lost or reordered")
        errors = [100 * point.error_rate for point in points]
        faults.step(times, errors, where="post", color=COLOURS[side], linestyle=":", label=f"{side} errors, %")
    latencies.axhline(LIMIT_MS, color="tab:red", linewidth=0.8, label="gate")
    latencies.set_yscale("log")
    latencies.set_ylabel("commit to client, ms")
    faults.set_ylim(bottom=0)
    for axes in (latencies, faults):
        axes.legend(loc="upper left", fontsize="small")
        axes.grid(visible=True, alpha=0.3)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def page(slots: Sequence[Window], title: str) -> str:
    """Return a page that needs nothing else: sentence, table, picture."""
    reports = summarize(slots)
    picture = base64.b64encode(png(slots)).decode()
    rows = "".join(_row(report) for report in reports)
    heads = "".join(f"<th>{name}</th>" for name in HEADS)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        "<style>body{font:15px system-ui;margin:2rem}td,th{padding:.2rem .8rem;text-align:right}"
        "td:first-child,th:first-child{text-align:left}img{max-width:100%}</style>"
        f"<h1>{html.escape(title)}</h1><p>{html.escape(sentence(reports))}</p>"
        f"<table><tr>{heads}</tr>{rows}</table>"
        f'<img alt="latencies and faults of both sides" src="data:image/png;base64,{picture}"></html>\n'
    )


def shown_ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def cells(report: SideReport) -> list[str]:
    """Return a side's figures as texts, in the order of the table's heads."""
    counts = (report.sent, report.seen, report.lost, report.repeated, report.reordered)
    latencies = (report.p50_ms, report.p95_ms, report.p99_ms)
    return [
        report.side.value,
        *(str(count) for count in counts),
        f"{report.errors} ({report.error_rate:.2%})",
        *(shown_ms(value) for value in latencies),
    ]


def _row(report: SideReport) -> str:
    return f"<tr>{''.join(f'<td>{html.escape(text)}</td>' for text in cells(report))}</tr>"
