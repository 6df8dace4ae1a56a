"""Opaque cursors of an account's log. They say how far a consumer is, and whose events it could not see yet. Pure.

A cursor is `(high_water, unfinished)`: everything up to `high_water` was shown, except what transactions in
`unfinished` wrote. Ids are taken before their transaction commits, so a lower id can appear after a higher one; `id >
last` would lose it. The relay's cursor (event_log/cursor.py) remembers missing ids. Here most ids are missing
for good, because they are other accounts', so the writers are remembered instead: the statement that reads
(store/events.sql) also tells which transaction ids had been given out and not ended when its snapshot was taken.
Every event below the mark that it could not see was written by one of those, because a writer owns its transaction id
before it takes an id of the log. Nothing waits for them: the next read looks for their events below the mark, and for
everybody's above.

A dozen bytes when nothing is under way; at most MAX_RANGES pairs of numbers whatever happens. When more transactions
are under way, neighbours are joined: what ended between them may then be shown twice, and never not at all.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from uuid import UUID

from gateway.errors import FieldError, ValidationFailed

VERSION = 1
MAX_RANGES = 32  # write transactions of a busy database at one moment; 32 pairs are 300 characters of cursor
MAX_CURSOR_CHARS = 1_000  # 65 numbers of ten bytes each, in base64, and the head
MAX_NUMBER = 2**63 - 1
_SCOPE_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class XidRange:
    """Transaction ids, both ends included."""

    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EventCursor:
    high_water: int
    unfinished: tuple[XidRange, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """Ascending by id. `cursor` is where to go on; marks from `floor` to `newest` can be resumed, and no others.

    `resting` is where to look again within the same request. It stays where it is as long as there is nothing of the
    account, so that all who wait at one place ask the same.
    """

    items: tuple[str, ...]
    cursor: EventCursor
    resting: EventCursor
    has_more: bool
    floor: int
    newest: int


def unfinished_at(xmax: int, in_progress: Iterable[int], next_xid: int) -> tuple[XidRange, ...]:
    """Return what a snapshot could not see: the transactions in progress below its `xmax`, and those from there on.

    `xmax` is one past the newest transaction that had *ended*, so it needs `next_xid`, one that was given out after the
    snapshot was taken, to bound those that had begun.
    """
    ranges = [XidRange(first=xid, last=xid) for xid in in_progress]
    if next_xid > xmax:
        ranges.append(XidRange(first=xmax, last=next_xid - 1))
    return _joined(sorted(ranges, key=lambda found: found.first))


def still_unfinished(known: Sequence[XidRange], xmax: int, in_progress: Iterable[int]) -> tuple[XidRange, ...]:
    """Return what a later snapshot could not see either. It showed nothing new, so what had ended wrote nothing."""
    ranges = [XidRange(first=xid, last=xid) for xid in in_progress if any(of.first <= xid <= of.last for of in known)]
    ranges += [XidRange(first=max(of.first, xmax), last=of.last) for of in known if of.last >= xmax]
    return _joined(sorted(ranges, key=lambda found: found.first))


def _joined(ranges: Sequence[XidRange]) -> tuple[XidRange, ...]:
    """Join neighbours, then the nearest ones until they are few enough."""
    joined: list[XidRange] = []
    for found in ranges:
        if joined and found.first <= joined[-1].last + 1:
            joined[-1] = XidRange(first=joined[-1].first, last=max(found.last, joined[-1].last))
        else:
            joined.append(found)
    while len(joined) > MAX_RANGES:
        gaps = [after.first - before.last for before, after in pairwise(joined)]
        nearest = gaps.index(min(gaps))
        joined[nearest : nearest + 2] = [XidRange(first=joined[nearest].first, last=joined[nearest + 1].last)]
    return tuple(joined)


def encode(cursor: EventCursor, account_id: UUID) -> str:
    packed = bytes([VERSION]) + _scope(account_id) + b"".join(_varint(number) for number in _numbers(cursor))
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def decode(text: str, account_id: UUID) -> EventCursor:
    """Raise ValidationFailed for a cursor that was damaged or made for another account."""
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return _from_numbers(_read_varints(_numbers_of(packed, account_id)))
    except (binascii.Error, ValueError):
        detail = "Use the nextCursor of an answer to GET /events, unchanged and with a key of the same account."
        raise ValidationFailed(FieldError(parameter="after", code="cursor_invalid", detail=detail)) from None


def _numbers(cursor: EventCursor) -> Iterator[int]:
    """Differences, because they are small: the mark, then for each range how far it is and how long."""
    yield cursor.high_water
    end = 0
    for found in cursor.unfinished:
        yield found.first - end
        yield found.last - found.first
        end = found.last


def _numbers_of(packed: bytes, account_id: UUID) -> bytes:
    head = bytes([VERSION]) + _scope(account_id)
    if not packed.startswith(head):
        raise ValueError("another version, or another account")
    return packed[len(head) :]


def _from_numbers(numbers: Sequence[int]) -> EventCursor:
    if len(numbers) % 2 == 0 or len(numbers) > 1 + 2 * MAX_RANGES:
        raise ValueError("not a mark and pairs")
    end = 0
    ranges = []
    for distance, length in zip(numbers[1::2], numbers[2::2], strict=True):
        ranges.append(XidRange(first=end + distance, last=end + distance + length))
        end = ranges[-1].last
    if numbers[0] > MAX_NUMBER or end > MAX_NUMBER:
        raise ValueError("too large")
    return EventCursor(high_water=numbers[0], unfinished=tuple(ranges))


def _varint(number: int) -> bytes:
    """Seven bits a byte, the low ones first, as in Protocol Buffers."""
    packed = bytearray()
    while number > 0x7F:  # noqa: PLR2004 what fits into seven bits
        packed.append(number & 0x7F | 0x80)
        number >>= 7
    packed.append(number)
    return bytes(packed)


def _read_varints(packed: bytes) -> list[int]:
    numbers, number, shift = [], 0, 0
    for byte in packed:
        number |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            numbers.append(number)
            number, shift = 0, 0
    if shift:
        raise ValueError("cut short")
    return numbers


def _scope(account_id: UUID) -> bytes:
    return hashlib.blake2b(f"events|{account_id}".encode(), digest_size=_SCOPE_BYTES).digest()
