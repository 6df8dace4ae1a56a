"""Batches for POST /api/broadcast, validated with the real server's messages."""

from dataclasses import dataclass
from typing import Any

from ops.local_supabase.wire import json_text, payload_size

_BLANK = "can't be blank"
_INVALID = "is invalid"
_TAKEN = "has already been taken"
_TOO_BIG = "Payload size exceeds tenant limit"
_BOOLEANS = {True: True, False: False, "true": True, "false": False, "1": True, "0": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchMessage:
    """One message of a batch."""

    topic: str
    event: str
    payload: dict[str, Any]
    private: bool
    id: str | None


@dataclass(eq=False)
class BatchError(ValueError):
    """The whole batch is rejected; `errors` is the body of the 422."""

    errors: list[Any]


def read(body: dict[str, Any], max_payload_kb: int) -> list[BatchMessage]:
    """Read all messages; raises BatchError when one of them, or the list, is wrong."""
    entries = _entries(body)
    messages, errors = [], []
    seen = set[str]()
    for entry in entries:
        problems = _problems(entry, max_payload_kb) | _repeated(entry, seen)
        errors.append(problems)
        if not problems:
            messages.append(_message(entry))
    if any(errors):
        raise BatchError(errors)
    return messages


def _entries(body: dict[str, Any]) -> list[dict[str, Any]]:
    if "messages" not in body:
        raise BatchError([_BLANK])
    value = body["messages"]
    if isinstance(value, dict):  # as a form sends a list: numbers first, in their order, whatever else after them
        value = [
            value[key] for key in sorted(value, key=lambda key: (0, int(key), "") if key.isdecimal() else (1, 0, key))
        ]
    if not isinstance(value, list) or any(not isinstance(entry, dict) for entry in value):
        raise BatchError([_INVALID])
    if not value:
        raise BatchError([_BLANK])
    return value


def _problems(entry: dict[str, Any], max_payload_kb: int) -> dict[str, list[str]]:
    problems: dict[str, list[str]] = {}
    for name in ("topic", "event"):
        value = entry.get(name)
        if value is None or (isinstance(value, str) and not value.strip()):
            problems[name] = [_BLANK]
        elif not isinstance(value, str):
            problems[name] = [_INVALID]
    payload = entry.get("payload")
    if payload is None:
        problems["payload"] = [_BLANK]
    elif not isinstance(payload, dict):
        problems["payload"] = [_INVALID]
    elif payload_size.exceeds(payload, len(json_text.encode(payload)), max_payload_kb):
        problems["payload"] = [_TOO_BIG]
    if not _is_boolean(entry.get("private", False)):
        problems["private"] = [_INVALID]
    if not isinstance(entry.get("id"), str | None):
        problems["id"] = [_INVALID]
    return problems


def _repeated(entry: dict[str, Any], seen: set[str]) -> dict[str, list[str]]:
    """Say that an id stands in this batch already: over all topics, and whatever else is wrong with either message."""
    name = entry.get("id")
    if not isinstance(name, str) or not name.strip():
        return {}
    if name in seen:
        return {"id": [_TAKEN]}
    seen.add(name)
    return {}


def _is_boolean(value: Any) -> bool:
    return value is None or isinstance(value, bool) or (isinstance(value, str) and value in _BOOLEANS)


def _message(entry: dict[str, Any]) -> BatchMessage:
    return BatchMessage(
        topic=entry["topic"],
        event=entry["event"],
        payload=entry["payload"],
        private=_BOOLEANS.get(entry.get("private", False), False),
        id=entry.get("id") if (entry.get("id") or "").strip() else None,
    )
