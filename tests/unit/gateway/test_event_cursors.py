"""Cursors of the log: small, exact, and of use to their account only."""

import contextlib
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain import event_cursors
from gateway.domain.event_cursors import (
    MAX_CURSOR_CHARS,
    MAX_NUMBER,
    MAX_RANGES,
    EventCursor,
    XidRange,
    still_unfinished,
    unfinished_at,
)
from gateway.errors import ValidationFailed

ACCOUNT = UUID("2f1c8a9e-3b4d-4c5e-8f60-718293a4b5c6")
XIDS = st.integers(3, 2**40)


@given(st.integers(0, MAX_NUMBER), st.sets(XIDS, max_size=80), XIDS, st.integers(0, 50))
def test_a_cursor_survives_its_text(high_water: int, in_progress: set[int], xmax: int, begun: int) -> None:
    """Whatever was under way, the text is short and means the same again."""
    cursor = EventCursor(high_water=high_water, unfinished=unfinished_at(xmax, in_progress, xmax + begun))
    text = event_cursors.encode(cursor, ACCOUNT)
    assert len(text) <= MAX_CURSOR_CHARS
    assert event_cursors.decode(text, ACCOUNT) == cursor


@given(st.sets(XIDS, max_size=200), XIDS, st.integers(0, 50))
def test_nothing_that_was_under_way_is_forgotten(in_progress: set[int], xmax: int, begun: int) -> None:
    """Joined or not, the ranges hold every transaction that the snapshot could not see, and they stay few."""
    ranges = unfinished_at(xmax, in_progress, xmax + begun)
    assert len(ranges) <= MAX_RANGES
    for xid in [*in_progress, *range(xmax, xmax + begun)]:
        assert any(found.first <= xid <= found.last for found in ranges)
    assert all(before.last + 1 < after.first for before, after in pairwise(ranges))


def test_few_transactions_are_named_one_by_one() -> None:
    """So that nothing is shown twice: only what could not be seen is looked for again."""
    assert unfinished_at(100, [90, 95], 102) == (
        XidRange(first=90, last=90),
        XidRange(first=95, last=95),
        XidRange(first=100, last=101),
    )
    assert unfinished_at(100, [], 100) == ()


def test_what_has_ended_is_forgotten() -> None:
    """A later snapshot leaves of each range what is in progress in it, and what lies at its xmax or past it."""
    known = (XidRange(first=90, last=95), XidRange(first=100, last=104))
    assert still_unfinished(known, 103, [80, 92, 97, 101]) == (
        XidRange(first=92, last=92),
        XidRange(first=101, last=101),
        XidRange(first=103, last=104),
    )
    assert still_unfinished(known, 200, [150]) == ()


@given(st.binary(max_size=80) | st.text(max_size=80).map(str.encode))
def test_garbage_is_refused(garbage: bytes) -> None:
    """By one error, whatever it is made of."""
    with pytest.raises(ValidationFailed):
        event_cursors.decode(garbage.decode("latin-1"), ACCOUNT)


@given(st.integers(0, 200), st.integers(0, 255))
def test_a_damaged_cursor_is_refused_or_harmless(position: int, value: int) -> None:
    """One wrong character never raises anything but our error."""
    text = event_cursors.encode(EventCursor(high_water=7, unfinished=unfinished_at(50, [40], 52)), ACCOUNT)
    damaged = text[: position % len(text)] + chr(value) + text[position % len(text) + 1 :]
    with contextlib.suppress(ValidationFailed):
        assert event_cursors.decode(damaged, ACCOUNT).high_water >= 0


def test_a_cursor_of_another_account_is_refused() -> None:
    """It would make no sense there; it opens nothing in any case."""
    text = event_cursors.encode(EventCursor(high_water=7), ACCOUNT)
    with pytest.raises(ValidationFailed):
        event_cursors.decode(text, UUID(int=1))
