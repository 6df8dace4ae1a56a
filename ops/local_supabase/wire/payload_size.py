"""Size of a payload in Erlang's external term format. So the real server counts it, and not its JSON."""

from typing import Any

SLACK_BYTES = 500  # added to the limit by the real server
_MOST_PER_JSON_BYTE = 4  # a short number costs nine bytes, never more than four per byte of its JSON


def exceeds(value: Any, json_bytes: int, limit_kb: int) -> bool:
    """Whether a payload is over `limit_kb`; `json_bytes` spares the count for small ones."""
    limit = limit_kb * 1000 + SLACK_BYTES
    return json_bytes * _MOST_PER_JSON_BYTE > limit and external_size(value) > limit


def external_size(value: Any) -> int:
    """Bytes of `term_to_binary/1` for a decoded JSON value."""
    size = 1
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            size += 5 + len(item.encode())
        elif isinstance(item, bytes):
            size += 5 + len(item)
        elif item is None or isinstance(item, bool):
            size += 5
        elif isinstance(item, int):
            size += _integer_size(item)
        elif isinstance(item, float):
            size += 9
        elif isinstance(item, dict):
            size += 5
            pending.extend(item.keys())
            pending.extend(item.values())
        elif isinstance(item, list):
            size += 6 if item else 1
            pending.extend(item)
    return size


def _integer_size(value: int) -> int:
    if 0 <= value <= 255:  # noqa: PLR2004
        return 2
    if -(2**31) <= value < 2**31:
        return 5
    return 3 + (value.bit_length() + 7) // 8
