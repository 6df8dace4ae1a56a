"""What phones say about messages and people: receipts and typing."""

import json
from collections.abc import Callable

import psycopg
import pytest
from psycopg.rows import DictRow

from tests.conftest import one
from tests.integration.gateway.channels.calls import LID, Webhook, conversations, messages
from tests.integration.gateway.conftest import Account
from tests.servers.wuzapi_server import chat_presence, message, receipt


@pytest.fixture
def webhook(account: Account) -> Webhook:
    return Webhook(account)


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
