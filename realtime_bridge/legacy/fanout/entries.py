"""Entries of the fan-out's stream: batches of frames, written and read. Pure; used by the fan-out.

Bridges of neighbouring versions read each other. The items of `emits` keep the keys they began with, because the first
readers refuse any other; what came later (`members`) is a field of the entry of its own, which they ignore.
"""

import json
from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter

from realtime_bridge.legacy.frame import Emit

ITEM = ("event", "data", "rooms", "conversation_id", "seq")
"""What every version reads; a key more and the first version refuses it."""
_EMITS = TypeAdapter(list[Emit])


def fields_of(emits: Sequence[Emit]) -> dict[str, str]:
    items = [{name: getattr(emit, name) for name in ITEM} for emit in emits]
    return {"emits": _json(items), "members": _json([emit.members for emit in emits])}


def emits_of(fields: dict[bytes, bytes]) -> list[Emit]:
    """Raises KeyError, TypeError, ValueError or RecursionError for what is no entry of ours."""
    items = json.loads(fields[b"emits"])
    members = json.loads(fields[b"members"]) if b"members" in fields else [None] * len(items)
    return _EMITS.validate_python([item | {"members": one} for item, one in zip(items, members, strict=True)])


def _json(value: Any) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))
