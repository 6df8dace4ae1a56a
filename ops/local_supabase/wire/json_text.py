"""JSON as strict as the real server's parser. So nothing we accept can fail when it is sent on."""

import json
import math
from typing import Any

_COMPACT = (",", ":")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError("number out of range")
    return value


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def decode(text: str | bytes) -> Any:
    """Parse JSON; raises ValueError for everything a strict parser refuses, however it is malformed."""
    if isinstance(text, bytes):
        text = text.decode()
    try:
        value = json.loads(text, parse_float=_finite, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if "\\ud" in text or "\\uD" in text:
        encode(value)  # half a surrogate pair cannot be sent on as UTF-8
    return value


def encode(value: Any) -> bytes:
    """Compact UTF-8 JSON; raises ValueError when a string holds half a surrogate pair."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=_COMPACT, allow_nan=False).encode()
    except RecursionError:
        raise ValueError("nested too deeply") from None
