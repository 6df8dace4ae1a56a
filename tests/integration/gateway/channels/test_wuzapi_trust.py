"""WUZAPI's webhooks, in its own shapes: only signed ones count, and nothing of it stops the chat."""

from typing import Any
from uuid import uuid4

import pytest

from tests.integration.gateway.channels.calls import PHONE, Webhook, conversations, messages
from tests.integration.gateway.conftest import Account, data, problem
from tests.servers.wuzapi_server import chat_presence, form_body, json_body, message, receipt, sign


@pytest.fixture
def webhook(account: Account) -> Webhook:
    return Webhook(account)


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


def test_unstorable_characters_are_replaced(account: Account, webhook: Webhook) -> None:
    """NUL and half a surrogate pair cannot be stored: the rest of the message is."""
    assert webhook.tell(message("A", "a\0b\ud83dc", PushName="N\0")) == "stored"
    assert messages(account, conversations(account)[0]["id"])[0]["content"] == "a\ufffdb?c"


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
