"""Entries of the fan-out's stream: batches of frames, written and read. Pure; used by the fan-out.

Bridges of neighbouring versions read each other. The items of `emits` keep the keys they began with, because the first
readers refuse any other; what came later (`members`) is a field of the entry of its own, which they ignore.
"""

import json
from collections.abc import Sequence
from typing import Any

from realtime_bridge.legacy.frame import MAX_BIGINT, Emit


def fields_of(emits: Sequence[Emit]) -> dict[str, str]:
    return {"emits": _json([_item(emit) for emit in emits]), "members": _json([emit.members for emit in emits])}


def number(value: object) -> int:
    """Return what Postgres can count to; raises ValueError for any other."""
    if not isinstance(value, int) or not 0 <= value <= MAX_BIGINT:
        raise ValueError("not a number of ours")
    return value


def _item(emit: Emit) -> dict[str, Any]:
    """Return the part that every version reads; a key more and the first version refuses it."""
    return {
        "event": emit.event,
        "data": emit.data,
        "rooms": emit.rooms,
        "conversation_id": emit.conversation_id,
        "seq": emit.seq,
    }


def emits_of(fields: dict[bytes, bytes]) -> list[Emit]:
    """Raises KeyError, TypeError, ValueError or RecursionError for what is no entry of ours."""
    items = json.loads(fields[b"emits"])
    members = json.loads(fields[b"members"]) if b"members" in fields else [None] * len(items)
    return [_emit(item, of_item) for item, of_item in zip(items, members, strict=True)]


def _emit(item: dict[str, Any], members: list[str] | None) -> Emit:
    if not isinstance(members, list | None) or not all(isinstance(member, str) for member in members or ()):
        raise TypeError("not the members of an emit")
    emit = Emit(
        event=item["event"],
        data=item["data"],
        rooms=tuple(item["rooms"]),
        conversation_id=number(item["conversation_id"]),
        seq=None if item.get("seq") is None else number(item["seq"]),
        members=None if members is None else tuple(members),
    )
    if not isinstance(emit.event, str) or not isinstance(emit.data, dict):
        raise TypeError("not an emit")
    if not emit.rooms or not all(isinstance(room, str) for room in emit.rooms):
        raise TypeError("not an emit")
    return emit


def _json(value: Any) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))
