"""Opaque page cursors of listings by time and id, bound to what is listed. The form is that of gateway/cursors.py."""

import base64
import binascii
import hashlib
import struct

from gateway.domain.messages import Position
from gateway.errors import FieldError, ValidationFailed

_LAYOUT = struct.Struct(">Bqq8s")  # version, time in microseconds, id, scope
VERSION = 2


def encode(position: Position, *scope: object) -> str:
    packed = _LAYOUT.pack(VERSION, position.sort_us, position.id, _digest(scope))
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def decode(cursor: str, *scope: object) -> Position:
    """Raise ValidationFailed for a cursor that was damaged, or made for another listing or account."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        version, sort_us, row_id, digest = _LAYOUT.unpack(raw)
    except (binascii.Error, struct.error, ValueError):
        version, sort_us, row_id, digest = 0, 0, 0, b""
    if version != VERSION or digest != _digest(scope):
        detail = "Use the nextCursor of the page before, with the same filters."
        raise ValidationFailed(FieldError(parameter="cursor", code="cursor_invalid", detail=detail))
    return Position(sort_us=sort_us, id=row_id)


def _digest(scope: tuple[object, ...]) -> bytes:
    return hashlib.blake2b("|".join(map(repr, scope)).encode(), digest_size=8).digest()
