"""Payloads that others wrote, decoded one by one. What cannot be decoded is its own fault and nobody else's. Pure.

Postgres takes numbers of a hundred thousand digits and a thousand brackets in each other. Python, like most of those
who would be sent them, does not; the limits here are Python's own.
"""

import json
from typing import Any

SHORT = 1_900  # characters: the shortest text that Python may refuse is a thousand brackets and their ends


class Unreadable(ValueError):
    """Says why."""


def decode(text: str | bytes) -> dict[str, Any]:
    """Return the object that `text` is; raises Unreadable, only."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"The payload cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise Unreadable("The payload is no object.")
    return found


def storable(text: str) -> str:
    """Return what a text column holds of `text`: NUL and halves of surrogate pairs become marks."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def is_readable(text: str) -> bool:
    """Whether Python reads `text`, which is JSON; asked of what is passed on as it stands."""
    if len(text) <= SHORT:
        return True
    try:
        decode(text)
    except Unreadable:
        return False
    return True
