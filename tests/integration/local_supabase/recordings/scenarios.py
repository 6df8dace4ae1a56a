"""The recorded transcripts as data: one scenario per file, one step per line."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DIRECTORY = Path(__file__).parent / "transcripts"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was sent or received; `raw` holds exact text when it matters."""

    at_ms: int
    connection: str
    sent: bool
    kind: str
    data: Any
    raw: str | None

    @property
    def text(self) -> str:
        """Text of a note."""
        return str(self.data["text"])


@dataclass(frozen=True, slots=True)
class Scenario:
    """A recorded conversation."""

    name: str
    steps: tuple[Step, ...]

    @property
    def settings(self) -> dict[str, Any]:
        """Project settings the recording began with."""
        merged: dict[str, Any] = {}
        for step in self.steps:
            if step.kind == "settings":
                merged.update(step.data)
        return merged


def load_all() -> list[Scenario]:
    return [_load(path) for path in sorted(DIRECTORY.glob("*.json"))]


def _load(path: Path) -> Scenario:
    content = json.loads(path.read_text(encoding="utf-8"))
    steps = tuple(
        Step(step["at_ms"], step["conn"], step["dir"] == "send", step["kind"], step["data"], step.get("raw"))
        for step in content["steps"]
    )
    return Scenario(content["name"], steps)
