"""Bytes of a request as they arrive: is enough there for a thread to begin. Pure; the worker's loop asks.

Only the worker's parser decides what a request means; here it is merely told when to look. Whatever is odd it gets at
once, to refuse it.
"""

import re

HEAD_BYTES = 65_536  # gunicorn would take 100 fields of 8 KB; nobody who means well sends a tenth of this
SMALL_BYTES = 65_536  # a body up to this comes before its request takes a thread; larger ones are read by pace
_LENGTH = re.compile(rb"^content-length:[ \t]*([0-9]{1,18})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_EXPECT = re.compile(rb"^expect:", re.IGNORECASE | re.MULTILINE)


class HeadTooLarge(Exception):
    """No end of the head within HEAD_BYTES."""


def wanted_bytes(arrived: bytes | bytearray, *, looked_at: int = 0) -> int | None:
    """Return with how many bytes a thread can begin; None until that can be told. Raises HeadTooLarge.

    `looked_at` is how many of them a former call has seen. A body that waits for our `100 Continue`, one in chunks and
    one that is not small are the thread's business.
    """
    end = arrived.find(b"\r\n\r\n", max(0, looked_at - 3))
    if end < 0:
        if len(arrived) > HEAD_BYTES:
            raise HeadTooLarge
        return 0 if _has_bare_newline(arrived) else None
    head = bytes(arrived[: end + 2])
    lengths = _LENGTH.findall(head)
    body_bytes = int(lengths[0]) if len(lengths) == 1 else 0
    if body_bytes > SMALL_BYTES or _EXPECT.search(head):
        return 0
    return end + 4 + body_bytes


def _has_bare_newline(arrived: bytes | bytearray) -> bool:
    """RFC 9112 §2.2: the parser refuses it, and the head that we wait for would never end."""
    return arrived.count(b"\n") != arrived.count(b"\r\n")
