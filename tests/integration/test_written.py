"""The catalogue of written events, held against what the log may hold at all."""

from realtime_bridge.events import EventType
from tests.written import Written


def test_every_type_is_written(written: Written) -> None:
    """A reader's test that walks the catalogue meets every type of event, from every writer there is."""
    assert {event.type for event in written.events} == {kind.value for kind in EventType}
    assert {event.origin for event in written.events} == {"api", "import", "snooze", "wuzapi"}
