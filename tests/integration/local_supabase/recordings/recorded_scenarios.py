"""The recorded scenarios as data, and what makes a frame of ours comparable with one of theirs."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DIRECTORY = Path(__file__).parent / "transcripts" / "scenarios"
USER, OTHER = "5f0c1a8e-0000-4000-8000-00000000000a", "5f0c1a8e-0000-4000-8000-00000000000b"
LARGE = 100_000  # the recording has a name for larger ids of rows, as for bindings
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PARTITION = re.compile(r"messages_\d{4}_\d\d_\d\d")
_NUMBERED = re.compile(r"<id\d+>")
_NOTES = ("cfg", "filter")
Answer = tuple[str, Any]  # kind (txt, bin, close, resp, sqlerr) and content


@dataclass(slots=True)
class RecordedStep:
    """What had come on each connection when a step was over."""

    name: str = ""
    answers: dict[str, list[Answer]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recording:
    """A scenario's answers; `notes` is what the sender wrote down beside them."""

    steps: tuple[RecordedStep, ...]
    notes: tuple[Answer, ...]


def load(name: str) -> Recording:
    """Read a scenario; what follows the last step are the sender's own closes, and left out."""
    steps: list[RecordedStep] = []
    notes: list[Answer] = []
    current = RecordedStep()
    for line in (DIRECTORY / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("## step "):
            current.name = line.partition(": ")[2]
            steps.append(current)
            current = RecordedStep()
            continue
        label, kind, text = line.split(" ", 2)
        if kind in _NOTES:
            notes.append((kind, json.loads(text)))
        else:
            current.answers.setdefault(label, []).append((kind, json.loads(text)))
    return Recording(tuple(steps), tuple(notes))


class Names:
    """Gives numbers of bindings names in the order in which they are met; one for the recording, one for ours."""

    def __init__(self) -> None:
        self._known: dict[Any, str] = {}

    def plain(self, value: Any, key: str = "") -> Any:
        """The value with everything replaced that is another one in every run."""
        if isinstance(value, dict):
            is_binding = {"event", "id", "schema"} <= value.keys()
            return {
                name: self._name(inner) if is_binding and name == "id" else self.plain(inner, name)
                for name, inner in value.items()
            }
        if isinstance(value, list):
            items = [self.plain(item, key) for item in value]
            return sorted(items, key=str) if key == "ids" else items
        if key == "ids" or (key == "id" and _is_large(value)):
            return self._name(value)
        return _plain_text(value, key) if isinstance(value, str) else value

    def _name(self, number: Any) -> str:
        return self._known.setdefault(number, f"<id {len(self._known)}>")


def difference(theirs: Any, ours: Any, path: str = "") -> str:
    """Where two plain values part, in words; empty when they are equal."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        parts = [difference(theirs.get(key), ours.get(key), f"{path}.{key}") for key in {**theirs, **ours}]
        missing = [f"{path}.{key} is in one only" for key in theirs.keys() ^ ours.keys()]
        return "; ".join(filter(None, [*parts, *missing]))
    if isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        pairs = enumerate(zip(theirs, ours, strict=True))
        return "; ".join(filter(None, (difference(one, other, f"{path}[{at}]") for at, (one, other) in pairs)))
    return "" if theirs == ours else f"{path}: {theirs!r} there, {ours!r} here"


def _is_large(value: Any) -> bool:
    if isinstance(value, str):
        return _NUMBERED.fullmatch(value) is not None
    return isinstance(value, int) and value > LARGE


def _plain_text(text: str, key: str) -> str:
    if key == "commit_timestamp":
        return "<cts>"
    text = text.replace(USER, "<U>").replace(OTHER, "<U>")
    return _PARTITION.sub("messages_<day>", _UUID.sub("<uuid>", text))
