"""Which status may follow which."""

import pytest

from gateway.domain.messages import MessageStatus

ALLOWED = {
    "pending": {"sent", "delivered", "read", "failed"},
    "sent": {"delivered", "read", "failed"},
    "delivered": {"read"},
    "read": set(),
    "failed": set(),
}


@pytest.mark.parametrize("status", list(MessageStatus))
def test_a_status_only_moves_forward(status: MessageStatus) -> None:
    """Every pair of statuses, against the table."""
    assert {wanted.value for wanted in MessageStatus if status.may_become(wanted)} == ALLOWED[status]
