"""Every way to ask wrongly, and the answer a client can act on."""

import json
from typing import Any

import pytest

from gateway.settings import Settings
from tests.integration.gateway.conftest import Account, data, problem

CONVERSATIONS = "/conversations"
MESSAGES = "/conversations/1/messages"
STATUS = "/conversations/1/messages/1/status"
UUID = "2f1c8a9e-3b4d-4c5e-8f60-718293a4b5c6"
DEEP: dict[str, Any] = {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {}}}}}}}}}


@pytest.fixture(autouse=True)
def _conversation(account: Account) -> None:
    """Conversation 1 with message 1: what is refused is refused for its own fault."""
    assert account.make_conversation() == 1
    assert account.send(1)["id"] == 1


FIELDS: list[tuple[str, str, dict[str, Any], str, str]] = [
    ("POST", MESSAGES, {}, "/content", "required"),
    ("POST", MESSAGES, {"content": None}, "/content", "wrong_type"),
    ("POST", MESSAGES, {"content": 1}, "/content", "wrong_type"),
    ("POST", MESSAGES, {"content": ["x"]}, "/content", "wrong_type"),
    ("POST", MESSAGES, {"content": ""}, "/content", "blank"),
    ("POST", MESSAGES, {"content": " \n\t\u2003"}, "/content", "blank"),
    ("POST", MESSAGES, {"content": "x" * 4097}, "/content", "too_long"),
    ("POST", MESSAGES, {"content": "a\0b"}, "/content", "nul_character"),
    ("POST", MESSAGES, {"content": "\ud800"}, "/content", "lone_surrogate"),
    ("POST", MESSAGES, {"content": "x", "text": "y"}, "/text", "unknown_field"),
    ("POST", MESSAGES, {"content": "x", "client_message_id": "y"}, "/client_message_id", "unknown_field"),
    ("POST", MESSAGES, {"content": "x", "a/b~c": 1}, "/a~1b~0c", "unknown_field"),
    ("POST", MESSAGES, {"content": "x", "messageType": "sticker"}, "/messageType", "not_allowed"),
    ("POST", MESSAGES, {"content": "x", "messageType": 7}, "/messageType", "not_allowed"),
    ("POST", MESSAGES, {"content": "x", "direction": "sideways"}, "/direction", "not_allowed"),
    ("POST", MESSAGES, {"content": "x", "clientMessageId": ""}, "/clientMessageId", "too_short"),
    ("POST", MESSAGES, {"content": "x", "clientMessageId": "y" * 129}, "/clientMessageId", "too_long"),
    ("POST", MESSAGES, {"content": "x", "clientMessageId": 5}, "/clientMessageId", "wrong_type"),
    ("POST", MESSAGES, {"content": "x", "senderId": "y" * 256}, "/senderId", "too_long"),
    ("POST", MESSAGES, {"content": "x", "senderId": " "}, "/senderId", "blank"),
    ("POST", MESSAGES, {"content": "x", "replyToId": "1"}, "/replyToId", "wrong_type"),
    ("POST", MESSAGES, {"content": "x", "replyToId": True}, "/replyToId", "wrong_type"),
    ("POST", MESSAGES, {"content": "x", "replyToId": 1.5}, "/replyToId", "wrong_type"),
    ("POST", MESSAGES, {"content": "x", "replyToId": 0}, "/replyToId", "out_of_range"),
    ("POST", MESSAGES, {"content": "x", "replyToId": 2**63}, "/replyToId", "out_of_range"),
    ("POST", MESSAGES, {"content": "x", "replyToId": 9}, "/replyToId", "unknown_message"),
    ("POST", MESSAGES, {"content": "x", "metadata": []}, "/metadata", "wrong_type"),
    ("POST", MESSAGES, {"content": "x", "metadata": {"k": "v" * 4096}}, "/metadata", "too_long"),
    ("POST", MESSAGES, {"content": "x", "metadata": {"z": DEEP}}, "/metadata", "too_deep"),
    ("POST", MESSAGES, {"content": "x", "metadata": {"k": ["\0"]}}, "/metadata/k/0", "nul_character"),
    ("POST", MESSAGES, {"content": "x", "metadata": {"\udfff": 1}}, "/metadata/\\udfff", "lone_surrogate"),
    ("PATCH", STATUS, {}, "/status", "required"),
    ("PATCH", STATUS, {"status": "lost"}, "/status", "not_allowed"),
    ("PATCH", STATUS, {"status": None}, "/status", "not_allowed"),
    ("PATCH", STATUS, {"status": "sent", "providerMessageId": ""}, "/providerMessageId", "too_short"),
    ("PATCH", STATUS, {"status": "sent", "at": "now"}, "/at", "unknown_field"),
    ("POST", CONVERSATIONS, {}, "/contactJid", "required"),
    ("POST", CONVERSATIONS, {"contactJid": ""}, "/contactJid", "too_short"),
    ("POST", CONVERSATIONS, {"contactJid": "x" * 256}, "/contactJid", "too_long"),
    ("POST", CONVERSATIONS, {"contactJid": "x", "status": "closed"}, "/status", "not_allowed"),
    ("POST", CONVERSATIONS, {"contactJid": "x", "channel": "What's up"}, "/channel", "wrong_form"),
    ("POST", CONVERSATIONS, {"contactJid": "x", "priority": "soon"}, "/priority", "not_allowed"),
    ("POST", CONVERSATIONS, {"contactJid": "x", "assignedAgentId": "me"}, "/assignedAgentId", "not_a_uuid"),
    ("POST", CONVERSATIONS, {"contactJid": "x", "assignedAgentId": UUID[:-1] + "z"}, "/assignedAgentId", "not_a_uuid"),
    ("POST", CONVERSATIONS, {"contactJid": "x", "assignedAgentId": UUID}, "/assignedAgentId", "unknown_user"),
    ("POST", CONVERSATIONS, {"contactJid": "x", "participants": {}}, "/participants", "wrong_type"),
    ("POST", CONVERSATIONS, {"contactJid": "x", "participants": [1]}, "/participants/0", "wrong_type"),
    ("POST", CONVERSATIONS, {"contactJid": "x", "participants": [{}]}, "/participants/0/userId", "required"),
    (
        "POST",
        CONVERSATIONS,
        {"contactJid": "x", "participants": [{"userId": UUID, "role": "owner"}]},
        "/participants/0/role",
        "not_allowed",
    ),
    (
        "POST",
        CONVERSATIONS,
        {"contactJid": "x", "participants": [{"userId": UUID}]},
        "/participants/0/userId",
        "unknown_user",
    ),
    (
        "POST",
        CONVERSATIONS,
        {"contactJid": "x", "participants": [{"userId": UUID}] * 101},
        "/participants",
        "too_long",
    ),
]


@pytest.mark.parametrize(("method", "path", "body", "pointer", "code"), FIELDS)
def test_a_wrong_field_is_pointed_at(
    account: Account, method: str, path: str, body: dict[str, Any], pointer: str, code: str
) -> None:
    """422 with the field's JSON Pointer and a code for the fault; nothing is stored."""
    answer = account.open(method, path, json=body)
    document = problem(answer, 422, "validation_failed")
    assert (pointer, code) in {(fault["pointer"], fault["code"]) for fault in document["errors"]}
    assert all(fault["detail"].endswith(".") for fault in document["errors"])
    assert [message["seq"] for message in data(account.get(MESSAGES))] == [1]


@pytest.mark.parametrize("body", [[], "text", 1, None, True])
def test_a_body_that_is_no_object_is_refused(account: Account, body: object) -> None:
    """The pointer is the whole document, the empty one."""
    for method, path in (("POST", CONVERSATIONS), ("POST", MESSAGES), ("PATCH", STATUS)):
        answer = account.open(method, path, data=json.dumps(body), content_type="application/json")
        (fault,) = problem(answer, 422, "validation_failed")["errors"]
        assert (fault["pointer"], fault["code"]) == ("", "wrong_type")


MALFORMED = [
    (b"", "line 1, column 1"),
    (b"{", "line 1, column 2"),
    (b'{"content": "x"', "line 1"),
    (b'{"content":\n "x",}', "line 2"),
    (b"{'content': 'x'}", "line 1, column 2"),
    (b'{"content": "x"} {}', "column 18"),
    (b'{"content": "\xff"}', "Byte 13"),
    (b'\xef\xbb\xbf{"content": "x"}', "line 1"),
    (b'{"content": "x", "content": "y"}', "twice"),
    (b'{"content": "x", "metadata": {"a": 1, "a": 2}}', "twice"),
    (b'{"content": "x", "metadata": {"a": NaN}}', "NaN"),
    (b'{"content": "x", "metadata": {"a": -Infinity}}', "Infinity"),
    (b'{"content": "x", "metadata": {"a": 1e400}}', "too large"),
    (b'{"content": "x", "metadata": {"a": ' + b"9" * 5000 + b"}}", "digits"),
    (b'{"content": "a\nb"}', "control character"),
    (b"[" * 50_000, "nested"),
    ('{"content": "x"}'.encode("utf-16"), "Byte 0"),
]


@pytest.mark.parametrize(("body", "hint"), MALFORMED)
def test_malformed_json_says_where(account: Account, body: bytes, hint: str) -> None:
    """400 with the position, also for what Python's own parser would let through."""
    answer = account.open("POST", MESSAGES, data=body, content_type="application/json")
    assert hint in problem(answer, 400, "malformed_json")["detail"]


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1"]
)
def test_another_content_type_is_refused(account: Account, content_type: str) -> None:
    """415 names the one that is accepted."""
    answer = account.open("POST", MESSAGES, data=b'{"content": "x"}', headers={"Content-Type": content_type})
    assert "application/json" in problem(answer, 415, "unsupported_media_type")["detail"]


def test_a_body_over_the_limit_is_refused(account: Account, settings: Settings) -> None:
    """413 says how much is allowed."""
    body = json.dumps({"content": "x", "metadata": {"k": "v" * settings.max_body_bytes}})
    answer = account.open("POST", MESSAGES, data=body, content_type="application/json")
    assert str(settings.max_body_bytes) in problem(answer, 413, "payload_too_large")["detail"]


PARAMETERS = [
    (CONVERSATIONS, "limit=0", "limit", "out_of_range"),
    (CONVERSATIONS, "limit=ten", "limit", "not_a_number"),
    (CONVERSATIONS, "limit=", "limit", "not_a_number"),
    (CONVERSATIONS, "limit=-1", "limit", "not_a_number"),
    (CONVERSATIONS, "limit=1e1", "limit", "not_a_number"),
    (CONVERSATIONS, "limit=%D9%A1", "limit", "not_a_number"),
    (CONVERSATIONS, "limit=1&limit=2", "limit", "repeated"),
    (CONVERSATIONS, "page=0", "page", "out_of_range"),
    (CONVERSATIONS, "page=1001", "page", "out_of_range"),
    (CONVERSATIONS, "cursor=", "cursor", "too_short"),
    (CONVERSATIONS, "cursor=AAAA", "cursor", "cursor_invalid"),
    (CONVERSATIONS, "cursor=%FF%00", "cursor", "cursor_invalid"),
    (CONVERSATIONS, "status=closed", "status", "not_allowed"),
    (CONVERSATIONS, "assignedTo=me", "assignedTo", "not_a_uuid"),
    (CONVERSATIONS, "assigned_to=" + UUID, "assigned_to", "unknown_parameter"),
    (MESSAGES, "before_seq=x", "before_seq", "not_a_number"),
    (MESSAGES, "before_seq=" + "9" * 19, "before_seq", "out_of_range"),
    (MESSAGES, "after_seq=" + "9" * 40, "after_seq", "not_a_number"),
    (MESSAGES, "limit=1000", "limit", "out_of_range"),
    (MESSAGES, "page=1", "page", "unknown_parameter"),
]


@pytest.mark.parametrize(("path", "query", "parameter", "code"), PARAMETERS)
def test_a_wrong_parameter_is_named(account: Account, path: str, query: str, parameter: str, code: str) -> None:
    """422 with the parameter's name and a code for the fault."""
    document = problem(account.get(f"{path}?{query}"), 422, "validation_failed")
    assert [(fault["parameter"], fault["code"]) for fault in document["errors"]] == [(parameter, code)]


NOWHERE = [
    "/conversations/2",
    "/conversations/2/messages",
    "/conversations/0",
    "/conversations/-1",
    "/conversations/01",
    "/conversations/1.0",
    "/conversations/x",
    "/conversations/9223372036854775807",
    "/conversations/9223372036854775808",
    "/conversations/99999999999999999999999999",
    "/conversations/%D9%A1",
    "/conversations/1%00",
    "/conversations/1/",
    "/conversations/1/messages/",
    "/conversations//1",
    "/conversations/1/messages/2",
    "/nothing",
    "/api/v2/chat/conversations",
]


@pytest.mark.parametrize("path", NOWHERE)
def test_what_is_not_there_is_not_found(account: Account, path: str) -> None:
    """404 for unknown ids, ids no row can have, and paths that lead nowhere alike."""
    problem(account.get(path), 404, "not_found")


@pytest.mark.parametrize(("conversation", "message"), [(1, 2), (2, 1), (1, 2**63 - 1), (1, 2**63)])
def test_the_status_of_no_message_is_not_found(account: Account, conversation: int, message: int) -> None:
    """Unknown message or unknown conversation, the same 404."""
    path = f"/conversations/{conversation}/messages/{message}/status"
    problem(account.patch(path, {"status": "sent"}), 404, "not_found")


METHODS = [
    ("DELETE", CONVERSATIONS, {"GET", "HEAD", "POST"}),
    ("OPTIONS", CONVERSATIONS, {"GET", "HEAD", "POST"}),
    ("PUT", "/conversations/1", {"GET", "HEAD", "PATCH"}),
    ("PATCH", MESSAGES, {"GET", "HEAD", "POST"}),
    ("GET", STATUS, {"PATCH"}),
    ("TRACE", STATUS, {"PATCH"}),
    ("BREW", STATUS, {"PATCH"}),
]


@pytest.mark.parametrize(("method", "path", "allowed"), METHODS)
def test_a_wrong_method_is_told_the_right_ones(account: Account, method: str, path: str, allowed: set[str]) -> None:
    """405 with Allow."""
    answer = account.open(method, path)
    problem(answer, 405, "method_not_allowed")
    assert set(answer.headers["Allow"].replace(" ", "").split(",")) == allowed


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("abc-1._Z", True), ("x" * 128, True), ("x" * 129, False), ("a b", False), ("ä", False), ("", False)],
)
def test_a_sane_request_id_is_taken_over(account: Account, sent: str, kept: bool) -> None:
    """Anything else is replaced, and the answer always carries one."""
    answer = account.get(CONVERSATIONS, headers={"X-Request-Id": sent.encode().decode("latin-1")})
    returned = answer.headers["X-Request-Id"]
    assert (returned == sent) is kept
    assert len(returned) >= 8
