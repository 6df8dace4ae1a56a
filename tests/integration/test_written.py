"""The catalogue of written events, held against what the log may hold at all."""

import re

from realtime_bridge.event_log.event import EventType
from tests.servers.gateway_server import ROOT
from tests.written import Written

MADE_UP = re.compile(r"\bEvent\(\s*(id|event_id|account_id|conversation_id|seq|type|payload)=")


def test_every_type_is_written(written: Written) -> None:
    """A reader's test that walks the catalogue meets every type of event, from every writer there is."""
    assert {event.type for event in written.events} == {kind.value for kind in EventType}
    assert {event.origin for event in written.events} == {"api", "import", "snooze", "wuzapi"}


def test_nobody_makes_an_event_up() -> None:
    """No test writes an event by hand: what it took the writer to be would be tested, and not what the writer does."""
    files = [file for file in (ROOT / "tests").rglob("*.py") if "node_modules" not in file.parts]
    assert [file.name for file in files if MADE_UP.search(file.read_text())] == []
