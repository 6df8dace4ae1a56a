"""Size of a JSON value once Postgres keeps it as jsonb. It is sent out so, over and over. Pure.

jsonb keeps numbers as `numeric` and writes them out in full: `1e308` is five bytes in a request and 309 in an answer.
"""

import json
from decimal import Decimal
from math import copysign


def stored_bytes(value: object) -> int:
    """Return the length of `value::jsonb::text` in UTF-8. Recursive: check the depth first."""
    match value:
        case dict():
            names = sum(stored_bytes(name) + len(": ") for name in value)
            return _within(names + sum(map(stored_bytes, value.values())), len(value))
        case list():
            return _within(sum(map(stored_bytes, value)), len(value))
        case float():
            return len(format(Decimal(repr(value)), "f")) - (value == 0 and copysign(1, value) < 0)  # -0.0 is 0.0
        case _:
            return len(json.dumps(value, ensure_ascii=False).encode())


def _within(content: int, count: int) -> int:
    return len("{}") + content + len(", ") * max(0, count - 1)
