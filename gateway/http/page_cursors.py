"""Opaque cursors of pages: where a listing ended. Bound to the account and the filter it was made for."""

import base64
import binascii
import hashlib
import struct
from collections.abc import Callable

from flask import Response

from gateway.domain.pages import MAX_SORT_US, Page, Position
from gateway.errors import FieldError, ValidationFailed
from gateway.http import rendering

_LAYOUT = struct.Struct(">Bqq8s")  # version, sort time in microseconds, id, scope
VERSION = 1


def answer(
    read: Callable[..., Page], cursor: str | None, limit: int, *scope: object, number: int | None = None
) -> Response:
    """Answer with the page that `read` returns `after` the position of a cursor, and with the cursor of the next."""
    page = read(limit=limit, after=decode(cursor, *scope) if cursor else None)
    next_cursor = encode(page.last, *scope) if page.has_more and page.last else None
    return rendering.many(
        page.items, page=number, limit=limit, total=page.total, has_more=page.has_more, next_cursor=next_cursor
    )


def encode(position: Position, *scope: object) -> str:
    """`scope`: whose listing it is, and its filters."""
    packed = _LAYOUT.pack(VERSION, position.sort_us, position.id, _digest(scope))
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def decode(cursor: str, *scope: object) -> Position:
    """Raise ValidationFailed for a cursor that was damaged, or made for other filters or another account.

    Not a matter of access: the listing is always limited to the account. It prevents pages that make no sense.
    """
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        version, sort_us, row_id, digest = _LAYOUT.unpack(raw)
    except (binascii.Error, struct.error, ValueError):
        version, sort_us, row_id, digest = 0, 0, 0, b""
    fits = version == VERSION and 0 <= sort_us <= MAX_SORT_US and row_id > 0
    if not fits or digest != _digest(scope):
        detail = "Use the nextCursor of the page before, with the same filters."
        raise ValidationFailed(FieldError(parameter="cursor", code="cursor_invalid", detail=detail))
    return Position(sort_us=sort_us, id=row_id)


def _digest(scope: tuple[object, ...]) -> bytes:
    return hashlib.blake2b("|".join(map(str, scope)).encode(), digest_size=8).digest()
