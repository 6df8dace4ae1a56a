"""Opaque cursors of the conversation list."""

from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.conversations import ConversationFilter, ConversationStatus
from gateway.domain.pages import MAX_SORT_US, Position
from gateway.errors import ValidationFailed
from gateway.http import page_cursors

ACCOUNT = UUID("6f1c8a9e-3b4d-4c5e-8f60-718293a4b5c6")
ALL = ConversationFilter(status=None, assigned_to=None)
BIGINT = st.integers(-(2**63), 2**63 - 1)


@given(st.integers(0, MAX_SORT_US), st.integers(1, 2**63 - 1))
def test_a_cursor_says_what_was_put_into_it(sort_us: int, row_id: int) -> None:
    """Any time and any id come back unchanged."""
    position = Position(sort_us=sort_us, id=row_id)
    assert page_cursors.decode(page_cursors.encode(position, ACCOUNT, ALL), ACCOUNT, ALL) == position


@given(BIGINT, BIGINT)
def test_a_forged_position_no_row_can_have_is_refused(sort_us: int, row_id: int) -> None:
    """The scope is no secret: what a client may put together must not be able to break the query."""
    cursor = page_cursors.encode(Position(sort_us=sort_us, id=row_id), ACCOUNT, ALL)
    if 0 <= sort_us <= MAX_SORT_US and row_id > 0:
        return
    with pytest.raises(ValidationFailed):
        page_cursors.decode(cursor, ACCOUNT, ALL)


@pytest.mark.parametrize(
    ("account", "chosen"),
    [
        (uuid4(), ALL),
        (ACCOUNT, ConversationFilter(status=ConversationStatus.OPEN, assigned_to=None)),
        (ACCOUNT, ConversationFilter(status=None, assigned_to=ACCOUNT)),
    ],
)
def test_a_cursor_belongs_to_its_account_and_filters(account: UUID, chosen: ConversationFilter) -> None:
    """Taken elsewhere it is refused by name, instead of giving pages that make no sense."""
    cursor = page_cursors.encode(Position(sort_us=1, id=1), ACCOUNT, ALL)
    with pytest.raises(ValidationFailed) as caught:
        page_cursors.decode(cursor, account, chosen)
    assert [(fault.parameter, fault.code) for fault in caught.value.errors] == [("cursor", "cursor_invalid")]


@given(st.text(min_size=1, max_size=100))
def test_garbage_is_refused_and_nothing_else_happens(text: str) -> None:
    """No text makes the decoder raise anything but ValidationFailed."""
    with pytest.raises(ValidationFailed):
        page_cursors.decode(text, ACCOUNT, ALL)
