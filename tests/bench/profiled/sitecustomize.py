"""Profiler that Python loads in each process of a stack: through which of our files one message goes.

A message goes through a file when a function of it holds the message's text, as an argument, a variable or a result,
however deep, before the text is given away: to the database, to a socket. Loaded with this folder in PYTHONPATH;
PASSED_TEXT is the text, PASSED_ROOT our files' folder, and PASSED_FILES where each process appends what it has found:
the step and the file, once each.
"""

import os
import sys
import threading
from contextvars import ContextVar
from pathlib import Path
from types import FrameType
from typing import Any

OURS = ("gateway", "realtime_bridge")
ROOT = f"{os.environ.get('PASSED_ROOT')}/"
TEXT = os.environ.get("PASSED_TEXT", "")
STEPS = {"Worker.handle_request", "Relay.run_once", "WebhookSender.claim", "GuardedWebSocket.send"}
WIRES = {  # where a step ends: psycopg's, of a socket's queue, of the queue of deliveries, aiohttp's
    "Cursor.execute", "AsyncCursor.execute", "BoundedEngine.send_packet", "WebhookSink.deliver", "ClientRequest.send",
}  # fmt: skip
DEEPEST = 8
STEP: ContextVar[str] = ContextVar("step", default="")  # tasks inherit it from who makes them
BEGUN: ContextVar[FrameType | None] = ContextVar("begun", default=None)
found: set[tuple[str, str]] = set()


def note(frame: FrameType, event: str, result: object) -> None:
    name = frame.f_code.co_qualname
    if event == "call" and name in STEPS and BEGUN.get() is not frame:  # a coroutine that goes on is called again
        BEGUN.set(frame)
        sink = getattr(frame.f_locals.get("self"), "sink", None)
        STEP.set(getattr(sink, "name", name))
    elif event == "call" and name in WIRES and STEP.get() and (name == "ClientRequest.send" or _holds(frame, None)):
        above: FrameType | None = frame
        while above:
            _look(above, None)
            above = above.f_back
        STEP.set("")
    elif event == "return":
        _look(frame, result)


def _look(frame: FrameType, result: object) -> None:
    step, file = STEP.get(), frame.f_code.co_filename
    if not step or not file.startswith(ROOT):
        return
    one = step, file.removeprefix(ROOT)
    if one[1].startswith(OURS) and one not in found and _holds(frame, result):
        found.add(one)
        with (Path(os.environ["PASSED_FILES"]) / f"{os.getpid()}").open("a") as lines:
            lines.write("\t".join(one) + "\n")


def _holds(frame: FrameType, result: object) -> bool:
    """Look at all but the object whose method it is: that may hold whatever ever passed."""
    values = [value for name, value in frame.f_locals.items() if name != "self"]
    return holds([*values, result], DEEPEST, set())


def holds(value: Any, depth: int, seen: set[int]) -> bool:
    if isinstance(value, str | bytes | bytearray):
        return (TEXT if isinstance(value, str) else TEXT.encode()) in value
    if depth == 0 or id(value) in seen:
        return False
    seen.add(id(value))
    parts: list[Any] = []
    if isinstance(value, dict):
        parts = list(value.values())
    elif isinstance(value, list | tuple | set | frozenset):
        parts = list(value)
    elif type(value).__module__.startswith((*OURS, "engineio.packet", "psycopg.types")):
        names = {*getattr(value, "__dict__", ()), *(name for kind in type(value).__mro__ for name in _slots(kind))}
        parts = [getattr(value, name, None) for name in names]
    return any(holds(part, depth - 1, seen) for part in parts)


def _slots(kind: type) -> tuple[str, ...]:
    names = kind.__dict__.get("__slots__", ())
    return (names,) if isinstance(names, str) else tuple(names)


if TEXT:
    threading.setprofile(note)
    sys.setprofile(note)
