"""The catalogue of written events, held against what the log may hold at all."""

import ast
from collections.abc import Iterator
from pathlib import Path

from realtime_bridge.event_log.event import Event, EventType
from tests.servers.gateway_server import ROOT
from tests.written import Written


def test_every_type_is_written(written: Written) -> None:
    """A reader's test that walks the catalogue meets every type of event, from every writer there is."""
    assert {event.type for event in written.events} == {kind.value for kind in EventType}
    assert {event.origin for event in written.events} == {"api", "import", "snooze", "wuzapi"}


def test_nobody_makes_an_event_up() -> None:
    """No test writes an event by hand: what it took the writer to be would be tested, and not what the writer does."""
    files = [file for file in (ROOT / "tests").rglob("*.py") if "node_modules" not in file.parts]
    assert [f"{file.name}:{line}" for file in files for line in _made_up(file)] == []


def _made_up(file: Path) -> Iterator[int]:
    """Yield where an Event is made by its fields' names; of a row that was read, `**row` has them."""
    tree = ast.parse(file.read_text())
    imports = [one for one in ast.walk(tree) if isinstance(one, ast.ImportFrom) and one.module == Event.__module__]
    names = {alias.asname or alias.name for one in imports for alias in one.names if alias.name == Event.__name__}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in names:
            given = [one.arg or one.value for one in node.keywords]
            if "payload" in given or any(isinstance(one, ast.Dict) for one in given):
                yield node.lineno
