"""What customers write on their phones: stored once, in the right conversation, whatever its shape."""

import json
import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg.rows import DictRow

from tests.conftest import one
from tests.integration.gateway.channels.calls import LID, PHONE, Webhook, conversations, messages
from tests.integration.gateway.conftest import Account, data
from tests.servers.wuzapi_server import form_body, json_body, message


@pytest.fixture
def webhook(account: Account) -> Webhook:
    return Webhook(account)


@pytest.mark.parametrize("encode", [json_body, form_body])
def test_a_message_arrives_in_either_encoding(account: Account, webhook: Webhook, encode: Callable[..., Any]) -> None:
    """The contact gets a conversation, with its name and number, and the message is in it, unread."""
    answer = webhook.post(*encode(message("3EB01", "hello <b>ñ</b> & 😀")))
    assert data(answer) == {"result": "stored"}
    (conversation,) = conversations(account)
    assert conversation["contactJid"] == PHONE
    assert conversation["contactName"] == "Ana"
    assert conversation["channel"] == "whatsapp"
    assert conversation["unreadCount"] == 1
    (found,) = messages(account, conversation["id"])
    assert found["content"] == "hello <b>ñ</b> & 😀"
    assert (found["direction"], found["status"], found["senderId"]) == ("incoming", "delivered", PHONE)
    assert found["providerMessageId"] == "3EB01"
    assert found["metadata"]["wuzapi"]["sentAt"] == "2026-11-20T10:00:00-03:00"


def test_row_and_event_are_one(account: Account, webhook: Webhook, conn: psycopg.Connection[DictRow]) -> None:
    """The event says where it came from, carries the message as it is shown, and takes the next number."""
    webhook.tell(message("A"))
    webhook.tell(message("B"))
    events = conn.execute("select seq, type, origin, payload from chat_events order by id").fetchall()
    assert [(event["seq"], event["type"], event["origin"]) for event in events] == [
        (0, "conversation.new", "api"),
        (1, "message.new", "wuzapi"),
        (2, "message.new", "wuzapi"),
    ]
    assert [event["payload"] for event in events[1:]] == messages(account, events[1]["payload"]["conversationId"])


def test_a_repeat_is_dropped(account: Account, webhook: Webhook) -> None:
    """WUZAPI repeats what it had no answer for: the second time changes nothing and is answered 200."""
    assert webhook.tell(message("A")) == "stored"
    assert webhook.tell(message("A")) == "duplicate"
    assert data(webhook.post(*json_body(message("A")))) == {"result": "duplicate"}
    (conversation,) = conversations(account)
    assert len(messages(account, conversation["id"])) == 1


def test_a_race_stores_once_and_makes_one_conversation(account: Account, webhook: Webhook) -> None:
    """WUZAPI sends each event from a goroutine of its own: sixteen at once, of a new contact, half of them repeats."""
    barrier, results = threading.Barrier(16), []

    def send(number: int) -> None:
        barrier.wait()
        results.append(webhook.tell(message(f"M{number % 8}", str(number % 8))))

    threads = [threading.Thread(target=send, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["duplicate"] * 8 + ["stored"] * 8
    (conversation,) = conversations(account)
    found = messages(account, conversation["id"])
    assert {item["content"] for item in found} == {str(number) for number in range(8)}
    assert [item["seq"] for item in found] == list(range(1, 9))


def test_two_accounts_may_hear_of_one_id(new_account: Callable[..., Account]) -> None:
    """Repeats are told apart by account and id: the same id in another channel is another message."""
    assert [Webhook(new_account()).tell(message("A")) for _ in range(2)] == ["stored", "stored"]


def test_a_lid_and_a_number_are_one_contact(account: Account, webhook: Webhook) -> None:
    """Whoever writes under a LID, with the number beside it, is found again under either, and answered there."""
    lid = {"Chat": LID, "Sender": LID, "AddressingMode": "lid", "SenderAlt": "5491155553934:12@s.whatsapp.net"}
    webhook.tell(message("A", "by lid", **lid))
    webhook.tell(message("B", "by number"))
    webhook.tell(message("C", "by lid alone", **(lid | {"SenderAlt": ""})))
    (conversation,) = conversations(account)
    assert conversation["contactJid"] == PHONE
    assert [item["content"] for item in messages(account, conversation["id"])] == [
        "by lid",
        "by number",
        "by lid alone",
    ]
    assert messages(account, conversation["id"])[0]["senderId"] == PHONE


@pytest.mark.parametrize("contact", [PHONE, "5491155553934", "+5491155553934"])
def test_a_conversation_of_the_api_is_used(account: Account, webhook: Webhook, contact: str) -> None:
    """A conversation made for the channel and the number, however it was written, gets the contact's answer."""
    made = account.make_conversation(contactJid=contact, channel="whatsapp")
    account.make_conversation(contactJid=contact)
    webhook.tell(message("A"))
    assert len(conversations(account)) == 2
    assert len(messages(account, made)) == 1


def test_what_the_owner_writes_on_the_phone_is_shown_and_not_sent_back(
    account: Account, webhook: Webhook, conn: psycopg.Connection[DictRow]
) -> None:
    """An own message from another device is outgoing and sent; its origin keeps the sink from sending it again."""
    webhook.tell(message("A"))
    webhook.tell(message("B", "from my phone", IsFromMe=True, PushName="Me"))
    (conversation,) = conversations(account)
    assert (conversation["contactName"], conversation["unreadCount"]) == ("Ana", 1)
    own = messages(account, conversation["id"])[-1]
    assert (own["direction"], own["status"]) == ("outgoing", "sent")
    assert one(conn, "select origin from chat_events order by id desc limit 1")["origin"] == "wuzapi"


def test_a_group_is_one_conversation_of_many_senders(account: Account, webhook: Webhook) -> None:
    """The conversation is the group's, each message is its sender's."""
    for number, sender in enumerate((PHONE, "5491100000000@s.whatsapp.net")):
        webhook.tell(message(f"G{number}", Chat="1203@g.us", Sender=sender, IsGroup=True))
    (conversation,) = conversations(account)
    assert (conversation["contactJid"], conversation["contactName"]) == ("1203@g.us", None)
    assert [item["senderId"] for item in messages(account, conversation["id"])] == [
        PHONE,
        "5491100000000@s.whatsapp.net",
    ]


def test_a_quoted_message_is_replied_to(account: Account, webhook: Webhook) -> None:
    """A quote of a message of this conversation becomes replyToId; a quote of anything else is left out."""
    webhook.tell(message("A", "question"))
    for message_id, quoted in (("B", "A"), ("C", "unknown")):
        document = message(message_id)
        document["event"]["Message"] = {"extendedTextMessage": {"text": "answer", "contextInfo": {"stanzaID": quoted}}}
        webhook.tell(document)
    first, second, third = messages(account, conversations(account)[0]["id"])
    assert (second["content"], second["replyToId"], third["replyToId"]) == ("answer", first["id"], None)


def protocol(message_id: str, target: str, kind: int, text: str | None = None, **info: Any) -> dict[str, Any]:
    """A message about a message: 0 takes it back, 14 replaces its text."""
    document = message(message_id, **info)
    edited = {} if text is None else {"editedMessage": {"conversation": text}}
    document["event"]["Message"] = {"protocolMessage": {"type": kind, "key": {"ID": target}, **edited}}
    return document


def test_what_is_taken_back_or_edited_on_the_phone_follows(
    account: Account, webhook: Webhook, conn: psycopg.Connection[DictRow]
) -> None:
    """As over the API: words change or go, events say so, a repeat changes nothing, and only its sender may."""
    webhook.tell(message("A", "first"))
    assert webhook.tell(protocol("E", "A", 14, "second", IsFromMe=True)) == "ignored"
    assert webhook.tell(protocol("E", "A", 14, "second")) == "changed"
    assert webhook.tell(protocol("E2", "A", 14, "third")) == "changed"
    assert webhook.tell(protocol("E", "A", 14, "second")) == "duplicate"
    conversation_id = conversations(account)[0]["id"]
    (shown,) = messages(account, conversation_id)
    assert (shown["content"], shown["editedAt"] is not None) == ("third", True)
    assert webhook.tell(protocol("R", "A", 0)) == "changed"
    assert webhook.tell(protocol("R", "A", 0)) == "ignored"
    assert webhook.tell(protocol("R2", "unknown", 0)) == "ignored"
    (shown,) = messages(account, conversation_id)
    assert (shown["content"], shown["deletedAt"] is not None) == ("", True)
    types = conn.execute("select type from chat_events where type like 'message.%%' order by id").fetchall()
    assert [row["type"] for row in types] == ["message.new", "message.updated", "message.updated", "message.deleted"]


def test_a_long_message_is_taken_back_whole(account: Account, webhook: Webhook) -> None:
    """All parts of a text that came in parts go with it."""
    webhook.tell(message("A", "x" * 10_000))
    assert webhook.tell(protocol("R", "A", 0)) == "changed"
    found = messages(account, conversations(account)[0]["id"])
    assert [item["content"] for item in found] == ["", "", ""]


def test_nobody_takes_back_what_another_wrote_in_a_group(account: Account, webhook: Webhook) -> None:
    """In a group all know a message's id; only its sender may take it back."""
    group: dict[str, Any] = {"Chat": "1203@g.us", "IsGroup": True}
    webhook.tell(message("A", Sender=PHONE, **group))
    assert webhook.tell(protocol("R", "A", 0, Sender="5491100000000@s.whatsapp.net", **group)) == "ignored"
    assert webhook.tell(protocol("R", "A", 0, Sender=LID, SenderAlt=PHONE, **group)) == "changed"


@pytest.mark.parametrize(
    ("part", "message_type"),
    [("imageMessage", "image"), ("audioMessage", "audio"), ("videoMessage", "video"), ("documentMessage", "document")],
)
def test_media_are_told_without_their_bytes(account: Account, webhook: Webhook, part: str, message_type: str) -> None:
    """Type, caption, name and link are kept; base64 is not stored in the chat."""
    document = message("A") | {
        "base64": "aGVsbG8=",
        "mimeType": "x/y",
        "fileName": "a.bin",
        "s3": {"url": "https://s3/a"},
    }
    document["event"]["Message"] = {part: {"caption": "look", "mimetype": "x/y"}}
    assert webhook.tell(document) == "stored"
    (found,) = messages(account, conversations(account)[0]["id"])
    assert (found["messageType"], found["content"]) == (message_type, "look")
    details = found["metadata"]["wuzapi"]
    assert (details["url"], details["fileName"], details["mimeType"]) == ("https://s3/a", "a.bin", "x/y")
    assert "aGVsbG8" not in json.dumps(found)


def test_a_long_text_comes_in_parts(account: Account, webhook: Webhook) -> None:
    """WhatsApp allows more than a message holds: nothing is lost, no character is cut, a repeat is still a repeat."""
    text = "ñandú 😀 " * 1500
    assert webhook.tell(message("A", text)) == "stored"
    assert webhook.tell(message("A", text)) == "duplicate"
    found = messages(account, conversations(account)[0]["id"])
    assert "".join(item["content"] for item in found) == text
    assert [item["metadata"]["wuzapi"]["part"] for item in found] == list(range(1, len(found) + 1))
