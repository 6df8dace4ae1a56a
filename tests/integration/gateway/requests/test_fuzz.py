"""Any JSON and any bytes: the answer is always one a client can act on."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as limits
from hypothesis import strategies as st

from tests.integration.gateway.conftest import Account, data

CONVERSATIONS = "/conversations"
MESSAGES = "/conversations/1/messages"
STATUS = "/conversations/1/messages/1/status"


@pytest.fixture(autouse=True)
def _conversation(account: Account) -> None:
    """Conversation 1 with message 1."""
    assert account.make_conversation() == 1
    assert account.send(1)["id"] == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=12,
)
NAMES = ["content", "messageType", "direction", "clientMessageId", "senderId", "replyToId", "metadata", "status"]
NAMES += ["contactJid", "participants", "channel", "assignedAgentId", "providerMessageId", "priority"]


@limits(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([("POST", CONVERSATIONS), ("POST", MESSAGES), ("PATCH", STATUS)]),
    st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), JSON, max_size=5)
    | st.fixed_dictionaries(
        {"content": st.text(max_size=20), "metadata": st.dictionaries(st.text(), JSON, max_size=3)}
    ),
)
def test_no_json_whatever_is_an_internal_error(account: Account, route: tuple[str, str], body: dict[str, Any]) -> None:
    """Any JSON is either stored and shown as it was sent, or refused with a problem that says why."""
    method, path = route
    answer = account.open(method, path, data=json.dumps(body), content_type="application/json")
    if answer.status_code == 201 and "content" in body:
        shown = data(answer)
        assert shown["content"] == body["content"]
        assert _as_doubles(shown["metadata"]) == _as_doubles(body.get("metadata", {}))
    elif answer.status_code not in (200, 201):
        assert answer.status_code in (409, 422), answer.text
        assert answer.content_type == "application/problem+json"


def _as_doubles(value: Any) -> Any:
    """As JavaScript reads it: 1e16 and 10000000000000000 are one number, and Postgres writes the second."""
    return json.loads(json.dumps(value), parse_int=float)


@limits(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60) | st.text(max_size=40).map(str.encode))
def test_no_bytes_whatever_are_an_internal_error(account: Account, body: bytes) -> None:
    """Any body is a client's error, never ours."""
    answer = account.open("POST", MESSAGES, data=body, content_type="application/json")
    assert answer.status_code in (400, 422), answer.text
    assert answer.content_type == "application/problem+json"
