"""WUZAPI's webhooks, in its own shapes: only signed ones count, each counts once, and nothing of it stops the chat."""

import json
import threading
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from flask.testing import FlaskClient
from psycopg.rows import DictRow
from werkzeug.test import TestResponse

from tests.conftest import one
from tests.integration.gateway.conftest import WUZAPI_URL, Account, data, problem
from tests.wuzapi_server import HMAC_KEY, chat_presence, form_body, json_body, message, receipt, sign

PHONE = "5491155553934@s.whatsapp.net"
LID = "77001122@lid"


class Webhook:
    """One channel's webhook; every call is one signed request unless told otherwise."""

    def __init__(self, account: Account, **fields: Any) -> None:
        new = {"name": "whatsapp", "baseUrl": WUZAPI_URL, "token": "t", "hmacKey": HMAC_KEY}
        answer = account.post("/channels", new | fields)
        assert answer.status_code == 201, answer.text
        self.channel = data(answer)
        self.path: str = self.channel["webhookPath"]
        self.client: FlaskClient = account.client

    def post(self, body: bytes, content_type: str, signature: str | None = None) -> TestResponse:
        headers = {"x-hmac-signature": sign(body) if signature is None else signature, "Content-Type": content_type}
        return self.client.post(self.path, data=body, headers=headers)

    def tell(self, document: dict[str, Any]) -> str:
        """Send an event in the default encoding; return what became of it."""
        answer = self.post(*form_body(document))
        assert answer.status_code == 200, answer.text
        return str(data(answer)["result"])


@pytest.fixture
def webhook(account: Account) -> Webhook:
    return Webhook(account)


def conversations(account: Account) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = data(account.get("/conversations"))
    return found


def messages(account: Account, conversation_id: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = data(account.get(f"/conversations/{conversation_id}/messages"))
    return found


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


@pytest.mark.parametrize("signature", ["", "0" * 64, "ÿ", sign(b"something else"), "A" * 10_000])
def test_what_is_not_signed_is_refused(account: Account, webhook: Webhook, signature: str) -> None:
    """No signature or a wrong one: 401, and nothing happened. WUZAPI without a key sends none at all."""
    body, content_type = form_body(message("A"))
    problem(webhook.post(body, content_type, signature), 401, "signature_invalid")
    assert conversations(account) == []


def test_a_flipped_bit_is_refused(account: Account, webhook: Webhook) -> None:
    """The signature is over exactly these bytes."""
    body, content_type = json_body(message("A"))
    problem(webhook.post(body.replace(b"hello", b"hellp"), content_type, sign(body)), 401, "signature_invalid")
    problem(webhook.post(body, content_type, sign(body).upper()), 401, "signature_invalid")
    problem(
        webhook.post(body, content_type, sign(body, "another key of at least 32 characters")), 401, "signature_invalid"
    )
    assert conversations(account) == []


def test_channels_that_do_not_listen_are_all_alike(account: Account, webhook: Webhook) -> None:
    """Unknown and switched off answer as a wrong signature does, so nobody learns which channels exist."""
    body, content_type = json_body(message("A"))
    account.patch(f"/channels/{webhook.channel['id']}", {"enabled": False})
    problem(webhook.post(body, content_type), 401, "signature_invalid")
    webhook.path = f"/hooks/wuzapi/{uuid4()}"
    problem(webhook.post(body, content_type), 401, "signature_invalid")
    webhook.path = "/hooks/wuzapi/no-uuid"
    assert webhook.post(body, content_type).status_code in (401, 404)


def test_a_new_key_replaces_the_old_one(account: Account, webhook: Webhook) -> None:
    """After a change of the HMAC key only the new one signs."""
    new_key = "another key of at least 32 characters"
    account.patch(f"/channels/{webhook.channel['id']}", {"hmacKey": new_key})
    body, content_type = json_body(message("A"))
    problem(webhook.post(body, content_type), 401, "signature_invalid")
    assert data(webhook.post(body, content_type, sign(body, new_key))) == {"result": "stored"}


def test_a_shared_key_does_not_open_another_users_channel(account: Account) -> None:
    """With WUZAPI_GLOBAL_HMAC_KEY all users sign alike: whose event it is is checked as well, in both encodings."""
    webhook = Webhook(account, providerUserId="1")
    for encode in (json_body, form_body):
        problem(webhook.post(*encode(message("A"), user_id="2")), 403, "provider_account_mismatch")
    assert webhook.tell(message("A")) == "stored"


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


def test_receipts_move_the_status_forward(
    account: Account, webhook: Webhook, conn: psycopg.Connection[DictRow]
) -> None:
    """Delivered and read become `message.status` events; late, repeated and unknown ones change nothing."""
    webhook.tell(message("A"))
    webhook.tell(message("B", IsFromMe=True))
    conversation_id = conversations(account)[0]["id"]
    assert webhook.tell(receipt("Read", "unknown")) == "unchanged"
    assert webhook.tell(receipt("Delivered", "B", "unknown")) == "moved"
    assert webhook.tell(receipt("Read", "B")) == "moved"
    assert webhook.tell(receipt("Read", "B")) == "unchanged"
    assert webhook.tell(receipt("Delivered", "B")) == "unchanged"
    assert webhook.tell(receipt("Read", "A")) == "unchanged"
    assert [item["status"] for item in messages(account, conversation_id)] == ["delivered", "read"]
    kinds = conn.execute("select payload ->> 'status' as s from chat_events where type = 'message.status' order by id")
    assert [row["s"] for row in kinds.fetchall()] == ["delivered", "read"]


def test_reading_on_the_own_phone_leaves_nothing_unread(account: Account, webhook: Webhook) -> None:
    """ReadSelf is about what came in: the message is read and the conversation's count follows."""
    webhook.tell(message("A"))
    assert webhook.tell(receipt("ReadSelf", "A")) == "moved"
    assert conversations(account)[0]["unreadCount"] == 0


def test_a_receipt_teaches_an_address(account: Account, webhook: Webhook) -> None:
    """A receipt for a known message from an unknown LID says whose it is: the next message finds its conversation."""
    webhook.tell(message("A"))
    webhook.tell(message("B", IsFromMe=True))
    webhook.tell(receipt("Delivered", "B", chat=LID))
    webhook.tell(message("C", Chat=LID, Sender=LID))
    assert len(conversations(account)) == 1


def test_another_channels_receipt_moves_nothing(new_account: Callable[..., Account]) -> None:
    """A receipt is believed only about messages of its own channel."""
    victim, stranger = new_account(), new_account()
    Webhook(victim).tell(message("A", IsFromMe=True))
    assert Webhook(stranger).tell(receipt("Read", "A")) == "unchanged"
    assert messages(victim, conversations(victim)[0]["id"])[0]["status"] == "sent"


def test_typing_is_told_and_not_stored(account: Account, webhook: Webhook, conn: psycopg.Connection[DictRow]) -> None:
    """A sign of typing goes to the bridges with its origin, once a second; the log and the rows know nothing of it."""
    assert webhook.tell(chat_presence("composing")) == "ignored"
    webhook.tell(message("A"))
    conn.execute("listen chat_ephemeral")
    assert webhook.tell(chat_presence("composing")) == "told"
    (notice,) = conn.notifies(timeout=5, stop_after=1)
    sign_of_typing = json.loads(notice.payload)
    assert sign_of_typing["conversationId"] == conversations(account)[0]["id"]
    assert (sign_of_typing["type"], sign_of_typing["isTyping"]) == ("presence.typing", True)
    assert sign_of_typing["origin"] == "wuzapi"
    assert webhook.tell(chat_presence("composing")) == "ignored"
    assert webhook.tell(chat_presence("paused")) == "told"
    assert one(conn, "select count(*) as n from chat_events")["n"] == 2


@pytest.mark.parametrize(
    "document",
    [
        {"type": "Connected", "event": {}},
        {"type": "All"},
        {},
        {"type": "Message"},
        {"type": "Message", "event": {"Info": {"ID": "", "Chat": PHONE}}},
        {
            "type": "Message",
            "event": {"Info": {"ID": "A", "Chat": "status@broadcast"}, "Message": {"conversation": "x"}},
        },
        {
            "type": "Message",
            "event": {"Info": {"ID": "A", "Chat": PHONE}, "Message": {"reactionMessage": {"text": "x"}}},
        },
        {"type": "Message", "event": {"Info": {"ID": "A", "Chat": PHONE}, "Message": None}},
        {"type": "Message", "event": {"Info": {"ID": 7, "Chat": ["x"]}, "Message": "x"}},
        receipt("Read"),
        {"type": "ReadReceipt", "state": "Played", "event": {"Chat": PHONE, "MessageIDs": ["A"]}},
        {"type": "ReadReceipt", "state": "Read", "event": {"Chat": PHONE, "MessageIDs": None}},
        {"type": "Presence", "state": "online", "event": {"From": PHONE, "Unavailable": False}},
        {"type": "Presence", "from": PHONE, "last_seen": 1763640000},
        chat_presence("dancing"),
    ],
)
def test_what_is_not_understood_is_accepted_and_ignored(
    account: Account, webhook: Webhook, document: dict[str, Any]
) -> None:
    """No event of WUZAPI's is answered with an error that it would repeat for a quarter of an hour."""
    assert webhook.tell(document) == "ignored"
    assert conversations(account) == []


def test_unstorable_characters_are_dropped(account: Account, webhook: Webhook) -> None:
    """NUL and half a surrogate pair cannot be stored: the rest of the message is."""
    assert webhook.tell(message("A", "a\0b\ud83dc", PushName="N\0")) == "stored"
    assert messages(account, conversations(account)[0]["id"])[0]["content"] == "ab?c"


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b"{", "application/json", 400, "malformed_json"),
        (b"[]", "application/json", 400, "malformed_json"),
        (b"[" * 100_000, "application/json", 400, "malformed_json"),
        (b"jsonData=%7B", "application/x-www-form-urlencoded", 400, "malformed_json"),
        (b"a=1", "application/x-www-form-urlencoded", 400, "malformed_json"),
        (b"a=1&" * 1000, "application/x-www-form-urlencoded", 400, "malformed_json"),
        (b"--x\r\n", "multipart/form-data; boundary=x", 415, "unsupported_media_type"),
        (b"hello", "text/plain", 415, "unsupported_media_type"),
    ],
)
def test_signed_rubbish_is_a_problem_document(
    webhook: Webhook, body: bytes, content_type: str, status: int, code: str
) -> None:
    """Whatever carries the right signature and cannot be read is refused with the reason."""
    problem(webhook.post(body, content_type), status, code)


def test_a_photo_fits_and_a_film_does_not(webhook: Webhook) -> None:
    """Events may be larger than other bodies, because media travel inside them; past eight megabytes it is 413."""
    photo = message("A") | {"base64": "x" * 2_000_000}
    photo["event"]["Message"] = {"imageMessage": {"caption": "x"}}
    assert data(webhook.post(*json_body(photo))) == {"result": "stored"}
    problem(webhook.post(b"x" * 8_388_609, "application/json"), 413, "payload_too_large")
