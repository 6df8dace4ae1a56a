"""The bridge's page and the report on parity as people see them: axe finds nothing. In a real browser."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ops.cli.parity import plot
from ops.cli.parity.plot import Mark, Stretch
from realtime_bridge.process import front_page
from tests.browser import DESK, PHONE, Browser


def _check(chromium: Browser, page: str, directory: Path) -> None:
    (directory / "page.html").write_text(page)
    for width in (PHONE, DESK):
        chromium.open(f"file://{directory / 'page.html'}", width=width)
        assert chromium.faults() == []


@pytest.mark.parametrize("path", ["/api/ws", None])
def test_the_root_of_the_bridge(chromium: Browser, tmp_path: Path, path: str | None) -> None:
    """With legacy sockets and without."""
    _check(chromium, front_page.page(path), tmp_path)


@pytest.mark.filterwarnings("default")  # the drawing library's own
@pytest.mark.parametrize("draws", [True, False])
def test_the_report(chromium: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, draws: bool) -> None:
    """With its picture and, where there is no matplotlib, with tables and what to install."""
    if not draws:
        monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    until = datetime(2026, 11, 26, 12, tzinfo=UTC)
    marks = [Mark(at=until - timedelta(hours=1), stage="shadow")]
    page = plot.page(Stretch(since=until - timedelta(hours=2), until=until, slots=[], marks=marks))
    assert ("base64," in page, "crossfade[plot]" in page) == (draws, not draws)
    assert "<td>supabase</td><td>0</td>" in page
    assert "<td>shadow</td>" in page
    _check(chromium, page, tmp_path)
