"""`crossfade parity` over slots as the bridge writes them."""

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result
from psycopg.rows import DictRow

from ops.cli.main import main
from ops.cli.parity import plot
from ops.cli.parity.plot import Mark, PlotError, Stretch
from realtime_bridge.parity.ledger import Ledger
from realtime_bridge.parity.loop_lag import LoopLag
from realtime_bridge.parity.samples import Samples
from realtime_bridge.parity.tally import Tally
from realtime_bridge.relay import sink as relay_sink
from realtime_bridge.rollout.dial.stages import FLAG, Side
from realtime_bridge.rollout.gate import latency
from tests.conftest import one
from tests.fakes import RecordingSink
from tests.relays import open_pool
from tests.written import Written


def put(conn: psycopg.Connection[DictRow], side: Side, *, lost: int = 0, latency_ms: float = 20.0) -> None:
    """A slot of a minute ago with a hundred events."""
    conn.execute(
        "insert into parity_windows (flag, side, window_start, sent_count, seen_count, lost_count, attempt_count,"
        " latency_counts) values (%s, %s, %s, 100, %s, %s, 100, %s)",
        (
            FLAG,
            side,
            datetime.now(UTC) - timedelta(seconds=60),
            100 - lost,
            lost,
            latency.histogram([latency_ms] * (100 - lost)),
        ),
    )


def crossfade(database_url: str, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["parity", *arguments], env={"DATABASE_URL": database_url})


def test_report_compares_both_sides(conn: psycopg.Connection[DictRow], database_url: str) -> None:
    """Counts, percentiles and a conclusion; --strict is for scripts."""
    for side in Side:
        put(conn, side)
    done = crossfade(database_url, "report", "--strict")
    assert done.exit_code == 0
    assert "Parity: on both sides every event was seen, in order." in done.output
    document: dict[str, Any] = json.loads(crossfade(database_url, "report", "--json").output)
    assert [(side["side"], side["sent"], side["lost"]) for side in document["sides"]] == [
        ("legacy", 100, 0),
        ("supabase", 100, 0),
    ]
    assert document["sides"][1]["p95Ms"] <= 20


def test_a_loss_is_said_and_strict_fails(conn: psycopg.Connection[DictRow], database_url: str) -> None:
    """One lost event is no parity."""
    put(conn, Side.LEGACY)
    put(conn, Side.SUPABASE, lost=1)
    done = crossfade(database_url, "report", "--strict")
    assert done.exit_code == 1
    assert "No parity: supabase lost 1 and reordered 0." in done.output


def test_nothing_measured_is_no_parity(database_url: str) -> None:
    """An empty table is not a good sign, and says what to look at."""
    done = crossfade(database_url, "report", "--strict")
    assert done.exit_code == 1
    assert "is the bridge running" in done.output


@pytest.mark.filterwarnings("default")  # the drawing library's own
def test_pictures(conn: psycopg.Connection[DictRow], database_url: str, tmp_path: Path) -> None:
    """PNG is one, and the page holds table and picture and loads nothing from elsewhere."""
    for side in Side:
        put(conn, side)
    for form in ("png", "html"):
        done = crossfade(database_url, "report", f"--format={form}", f"--output={tmp_path / form}")
        assert done.exit_code == 0, done.output
    assert (tmp_path / "png").read_bytes().startswith(b"\x89PNG")
    page = (tmp_path / "html").read_text()
    assert "<td>supabase</td><td>100</td>" in page
    assert "http" not in page.split("base64,")[0]
    assert crossfade(database_url, "report", "--format=png").exit_code == 2


def test_without_matplotlib_the_reason_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are an extra; who asks for one without it is told what to install."""
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(PlotError, match=r"crossfade\[plot\]"):
        plot.png(Stretch(since=datetime.now(UTC), until=datetime.now(UTC), slots=[]))


@pytest.mark.filterwarnings("default")  # the drawing library's own
def test_a_picture_says_when_and_at_which_stage() -> None:
    """The axis is the stretch that was asked for; each turn of the dial is marked; counts and shares stand apart."""
    until = datetime(2026, 11, 26, 12, tzinfo=UTC)
    marks = [Mark(at=until - timedelta(hours=2), stage="shadow"), Mark(at=until - timedelta(hours=1), stage="ramp 10")]
    stretch = Stretch(since=until - timedelta(hours=2), until=until, slots=[], marks=marks)
    figure = plot.draw(stretch)
    assert figure.get_suptitle() == "Parity from 2026-11-26 10:00:00Z to 2026-11-26 12:00:00Z"
    assert [axes.get_ylabel() for axes in figure.axes] == ["commit to client, ms", "events in 5 s", "of attempts, %"]
    days = 24 * 3600
    for axes in figure.axes:
        left, right = axes.get_xlim()
        assert (right - left) * days == pytest.approx(2 * 3600)
        assert sum(line.get_linestyle() == "--" for line in axes.get_lines()) == len(marks)
    assert [text.get_text() for text in figure.axes[0].texts] == ["shadow", "ramp 10"]


@pytest.mark.filterwarnings("default")  # the drawing library's own
def test_the_page_tells_how_the_dial_was_turned(
    conn: psycopg.Connection[DictRow], database_url: str, tmp_path: Path
) -> None:
    """Where it stood when the stretch began, and each change in it, on the page and in JSON; with the times."""
    turn = (
        "insert into rollout_audit (flag, at, actor, action, why, to_stage, version)"
        " values (%s, now() - %s::interval, 'a', 'set', 'x', %s, 1)"
    )
    for ago, stage in (("3 hours", "shadow"), ("2 hours", "ramp 10"), ("10 minutes", "ramp 25")):
        conn.execute(turn, (FLAG, ago, stage))
    file = tmp_path / "parity.html"
    assert crossfade(database_url, "report", "--format=html", f"--output={file}").exit_code == 0
    page = file.read_text().split("base64,")
    assert re.search(r"<h1>Parity from \S+ \S+Z to \S+ \S+Z</h1>", page[0])
    assert re.findall(r"<td>(ramp \d+|shadow)</td>", page[1]) == ["ramp 10", "ramp 25"]
    document = json.loads(crossfade(database_url, "report", "--json").output)
    assert [mark["stage"] for mark in document["stages"]] == ["ramp 10", "ramp 25"]
    assert document["stages"][0]["at"] == document["since"] < document["stages"][1]["at"] < document["until"]


def test_watch_follows(conn: psycopg.Connection[DictRow], database_url: str) -> None:
    """The live table shows both sides; here it is asked for two looks."""
    put(conn, Side.LEGACY)
    done = crossfade(database_url, "watch", "--seconds=300", "--times=2", "--every=0.2")
    assert done.exit_code == 0
    assert "Only legacy was measured" in done.output


def test_samples_survive_a_database_that_is_away(
    conn: psycopg.Connection[DictRow], database_url: str, written: Written
) -> None:
    """What could not be written is added to what is written next; nothing is counted twice."""

    async def check() -> None:
        ledger = Ledger()
        sink, tally = RecordingSink("supabase"), Tally(Side.SUPABASE)
        async with open_pool(database_url) as pool:
            samples = Samples(
                pool=pool, flag=FLAG, ledger=ledger, tallies=[tally], lag=LoopLag(), lags_count_for=lambda: ()
            )
            conn.execute("alter table parity_windows rename to away")
            await relay_sink.deliver(sink, [written.status(1)], tally)
            ledger.sent(1, 0.0, [Side.SUPABASE])
            ledger.saw(Side.SUPABASE, 1, 0.05)
            with pytest.raises(psycopg.Error):
                await samples.run_once()
            conn.execute("alter table away rename to parity_windows")
            await relay_sink.deliver(sink, [written.status(2)], tally)
            assert await samples.run_once() == 1
            assert await samples.run_once() == 0

    asyncio.run(check())
    row = one(conn, "select side, sum(seen_count) as seen, sum(attempt_count) as tries from parity_windows group by 1")
    assert (row["side"], row["seen"], row["tries"]) == ("supabase", 1, 2)
