"""Messages over HTTP."""

from typing import Any

import psycopg
import pytest
from psycopg.rows import DictRow

from tests.conftest import one
from tests.integration.gateway.conftest import Account, data, problem


@pytest.fixture
def conversation(account: Account) -> int:
    return account.make_conversation()


def test_post_get_and_event_say_the_same(
    account: Account, conversation: int, conn: psycopg.Connection[DictRow]
) -> None:
    """The answer to POST, the message in GET and the payload of message.new are one and the same document."""
    sent = account.send(conversation, "hälló 👋", metadata={"a": [1, {"b": None}]}, senderId="s", clientMessageId="c")
    (listed,) = data(account.get(f"/conversations/{conversation}/messages"))
    event = one(conn, "select * from chat_events where type = 'message.new'")
    assert sent == listed == event["payload"]
    assert (sent["seq"], sent["eventId"]) == (event["seq"], str(event["event_id"]))
    assert sent["messageSeq"] == sent["seq"] == 1


def test_a_row_and_its_event_agree(account: Account, conversation: int, conn: psycopg.Connection[DictRow]) -> None:
    """The row carries the event's id and number, and the conversation counts it."""
    sent = account.send(conversation)
    row = one(conn, "select * from chat_messages where id = %(id)s", id=sent["id"])
    assert (str(row["event_id"]), row["seq"]) == (sent["eventId"], sent["seq"])
    shown = data(account.get(f"/conversations/{conversation}"))
    assert (shown["lastSeq"], shown["lastMessagePreview"]) == (1, "hello")
    assert shown["lastMessageAt"] == sent["createdAt"]


def test_what_comes_in_has_arrived_and_is_unread(account: Account, conversation: int) -> None:
    """Outgoing begins as pending; incoming as delivered, and counts as unread until it is read."""
    assert account.send(conversation)["status"] == "pending"
    incoming = account.send(conversation, direction="incoming")
    assert incoming["status"] == "delivered"
    assert data(account.get(f"/conversations/{conversation}"))["unreadCount"] == 1
    account.patch(f"/conversations/{conversation}/messages/{incoming['id']}/status", {"status": "read"})
    assert data(account.get(f"/conversations/{conversation}"))["unreadCount"] == 0


def test_content_is_kept_as_sent(account: Account, conversation: int) -> None:
    """White space around it, markup and every script stay as they are."""
    content = "  <b>שלום</b>\n\t漢字 \u202e "
    assert account.send(conversation, content)["content"] == content


@pytest.mark.parametrize(("unit", "count"), [("x", 4096), ("é", 2048), ("👋", 1024)])
def test_content_is_measured_in_bytes(account: Account, conversation: int, unit: str, count: int) -> None:
    """4,096 bytes of UTF-8 pass, one character more does not."""
    assert account.send(conversation, unit * count)["content"] == unit * count
    answer = account.post(f"/conversations/{conversation}/messages", {"content": unit * (count + 1)})
    (fault,) = problem(answer, 422, "validation_failed")["errors"]
    assert (fault["pointer"], fault["code"]) == ("/content", "too_long")
    assert "4096 bytes" in fault["detail"]


def test_a_resend_gets_the_first_answer(account: Account, conversation: int) -> None:
    """Byte for byte, also after the message has moved on; marked as a replay; nothing is counted twice."""
    path, body = (
        f"/conversations/{conversation}/messages",
        {"content": "hi", "clientMessageId": "c1", "metadata": {"n": 1}},
    )
    first = account.post(path, body)
    account.patch(f"{path}/{data(first)['id']}/status", {"status": "sent"})
    again = account.post(path, body | {"metadata": {"n": 1.0}})
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.data == first.data
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(data(account.get(path))) == 1
    assert account.send(conversation)["seq"] == 3


@pytest.mark.parametrize(
    "change",
    [
        {"content": "other"},
        {"direction": "incoming"},
        {"messageType": "image"},
        {"metadata": {"n": 2}},
        {"senderId": "me"},
        {"replyToId": 1},
    ],
)
def test_one_id_for_two_messages_is_refused(account: Account, conversation: int, change: dict[str, Any]) -> None:
    """The same clientMessageId with anything else changed is a mistake of the client, not a resend."""
    body = {"content": "hi", "clientMessageId": "c1", "metadata": {"n": 1}}
    account.post(f"/conversations/{conversation}/messages", body)
    answer = account.post(f"/conversations/{conversation}/messages", body | change)
    if "replyToId" not in change:
        assert problem(answer, 422, "client_message_id_reused")["errors"][0]["pointer"] == "/clientMessageId"
    else:
        assert answer.status_code == 422


def test_ids_of_clients_are_per_conversation(account: Account, conversation: int) -> None:
    """The same clientMessageId in another conversation is another message."""
    other = account.make_conversation()
    assert account.send(conversation, clientMessageId="c")["id"] != account.send(other, clientMessageId="c")["id"]


def test_a_resend_is_answered_even_when_its_event_is_gone(
    account: Account, conversation: int, conn: psycopg.Connection[DictRow]
) -> None:
    """After retention dropped the event's partition the row stands in."""
    sent = account.send(conversation, clientMessageId="c")
    conn.execute("delete from chat_events")
    again = account.post(f"/conversations/{conversation}/messages", {"content": "hello", "clientMessageId": "c"})
    assert (again.status_code, data(again)) == (201, sent)


def test_a_reply_stays_in_its_conversation(account: Account, conversation: int) -> None:
    """ReplyToId must name a message of the same conversation."""
    target = account.send(conversation)
    assert account.send(conversation, replyToId=target["id"])["replyToId"] == target["id"]
    foreign = account.send(account.make_conversation())
    for reply_to in (foreign["id"], 2**63 - 1):
        body = {"content": "x", "replyToId": reply_to}
        answer = account.post(f"/conversations/{conversation}/messages", body)
        (fault,) = problem(answer, 422, "validation_failed")["errors"]
        assert (fault["pointer"], fault["code"]) == ("/replyToId", "unknown_message")
    assert account.send(conversation)["seq"] == 3  # the refused ones took no number


def _seqs(account: Account, conversation: int, query: str) -> tuple[list[int], dict[str, Any]]:
    answer = account.get(f"/conversations/{conversation}/messages?{query}").get_json()
    return [message["seq"] for message in answer["data"]], answer["pagination"]


def test_pages_of_messages(account: Account, conversation: int) -> None:
    """The newest page by default, older ones by before_seq, newer ones by after_seq; always ascending."""
    for number in range(7):
        account.send(conversation, f"m{number}")
    newest, pagination = _seqs(account, conversation, "limit=3")
    assert newest == [5, 6, 7]
    assert pagination == {"page": None, "limit": 3, "total": 7, "hasMore": True, "nextCursor": "5"}
    older, pagination = _seqs(account, conversation, "limit=3&before_seq=5")
    assert (older, pagination["nextCursor"]) == ([2, 3, 4], "2")
    oldest, pagination = _seqs(account, conversation, "limit=3&before_seq=2")
    assert (oldest, pagination["hasMore"], pagination["nextCursor"]) == ([1], False, None)
    newer, pagination = _seqs(account, conversation, "limit=3&after_seq=0")
    assert (newer, pagination["nextCursor"]) == ([1, 2, 3], "3")
    between, pagination = _seqs(account, conversation, "limit=3&after_seq=2&before_seq=6")
    assert (between, pagination["hasMore"]) == ([3, 4, 5], False)
    assert _seqs(account, conversation, "after_seq=7")[0] == []


def test_status_moves_forward_with_an_event_each(
    account: Account, conversation: int, conn: psycopg.Connection[DictRow]
) -> None:
    """Each step takes the next number; the event has its own seq and the message's in messageSeq."""
    sent = account.send(conversation)
    path = f"/conversations/{conversation}/messages/{sent['id']}/status"
    for number, status in enumerate(("sent", "delivered", "read"), start=2):
        shown = data(account.patch(path, {"status": status}))
        assert (shown["status"], shown["seq"], shown["eventId"]) == (status, 1, sent["eventId"])
        event = one(conn, "select * from chat_events where seq = %(seq)s", seq=number)
        assert event["type"] == "message.status"
        assert event["payload"] == shown | {"seq": number, "eventId": str(event["event_id"])}
        assert event["payload"]["messageSeq"] == 1
    (listed,) = data(account.get(f"/conversations/{conversation}/messages"))
    assert listed == shown


def test_the_same_status_again_changes_nothing(
    account: Account, conversation: int, conn: psycopg.Connection[DictRow]
) -> None:
    """200, the same document, no event."""
    sent = account.send(conversation)
    path = f"/conversations/{conversation}/messages/{sent['id']}/status"
    first = account.patch(path, {"status": "sent", "providerMessageId": "p1"})
    again = account.patch(path, {"status": "sent", "providerMessageId": "p1"})
    assert (first.status_code, again.status_code) == (200, 200)
    assert data(first)["providerMessageId"] == "p1"
    assert again.data == first.data
    assert one(conn, "select count(*) as n from chat_events where type = 'message.status'")["n"] == 1


@pytest.mark.parametrize(
    ("before", "after"), [("sent", "pending"), ("delivered", "failed"), ("failed", "sent"), ("read", "delivered")]
)
def test_a_status_does_not_go_back(account: Account, conversation: int, before: str, after: str) -> None:
    """409 saying what it is and what it cannot become."""
    path = f"/conversations/{conversation}/messages/{account.send(conversation)['id']}/status"
    assert account.patch(path, {"status": before}).status_code == 200
    document = problem(account.patch(path, {"status": after}), 409, "status_conflict")
    assert before in document["detail"]
    assert after in document["detail"]


def test_a_provider_id_is_written_once(account: Account, conversation: int) -> None:
    """It may come later than the status, but never change."""
    path = f"/conversations/{conversation}/messages/{account.send(conversation)['id']}/status"
    account.patch(path, {"status": "sent"})
    assert data(account.patch(path, {"status": "sent", "providerMessageId": "p1"}))["providerMessageId"] == "p1"
    problem(account.patch(path, {"status": "read", "providerMessageId": "p2"}), 409, "provider_message_id_conflict")


def test_head_answers_like_get_without_a_body(account: Account, conversation: int) -> None:
    """On every route that has GET."""
    for path in ("/conversations", f"/conversations/{conversation}", f"/conversations/{conversation}/messages"):
        head, get = account.open("HEAD", path), account.get(path)
        assert (head.status_code, head.data) == (200, b"")
        assert head.headers["Content-Length"] == get.headers["Content-Length"]
