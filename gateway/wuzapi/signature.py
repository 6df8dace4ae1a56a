"""Signature in `x-hmac-signature`. Lowercase hex of HMAC-SHA256 over the raw body, keyed with the key's text. Pure.

It covers no time and no delivery id, so whoever has seen a request can send it again: repeats are harmless because
messages are dropped by their id, statuses only move forward and signs of typing fade.
"""

import hashlib
import hmac
import re

HEADER = "x-hmac-signature"
_FORM = re.compile(r"[0-9a-f]{64}")


def may_be_signature(text: str) -> bool:
    """Whether it looks like one at all: what can be told before the body is there."""
    return _FORM.fullmatch(text) is not None


def is_signed(body: bytes, signature: str, key: bytes) -> bool:
    """Whether `signature` was made for exactly these bytes with `key`. In constant time; anything unusual is False."""
    expected = hmac.new(key, body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode("utf-8", "surrogateescape"))
