"""What legacy clients write: committed as over REST, always as themselves, and not too much of it."""

import psycopg
import pytest
from psycopg.rows import DictRow

from tests.conftest import one
from tests.integration.legacy.clients import Clients
from tests.integration.legacy.conftest import Room
from tests.integration.legacy.harness import Bridge


def message(room: Room, **fields: object) -> dict[str, object]:
    return {"conversationId": str(room.id), "content": "hello", **fields}


def test_a_message_is_committed_with_its_event(
    bridge: Bridge, clients: Clients, room: Room, conn: psycopg.Connection[DictRow]
) -> None:
    """The answer names a row and an event that are there; a client's message is incoming, and counts as unread."""
    client = clients.connect(bridge.url, room.member)
    answer = client.ask("message", message(room, content="<b>hi</b> ✓", type="file"))
    (event,) = room.events(after_seq=0)
    assert answer == {"ok": True, "id": str(event.payload["id"]), "seq": 1, "eventId": str(event.event_id)}
    assert event.type == "message.new"
    expected = {"content": "<b>hi</b> ✓", "messageType": "document", "direction": "incoming", "status": "delivered"}
    assert {name: event.payload[name] for name in expected} == expected
    assert event.payload["senderId"] == str(room.member)
    assert one(conn, "select unread_count from conversations")["unread_count"] == 1


def test_an_owners_message_is_outgoing(bridge: Bridge, clients: Clients, room: Room) -> None:
    """The account's own people write outgoing messages, which wait for their provider."""
    client = clients.connect(bridge.url, room.owner)
    assert client.ask("message", message(room))["ok"]
    (event,) = room.events(after_seq=0)
    assert (event.payload["direction"], event.payload["status"]) == ("outgoing", "pending")


def test_a_resend_is_answered_like_the_first(bridge: Bridge, clients: Clients, room: Room) -> None:
    """Two tabs that send the same clientMessageId make one message; other words under it are refused."""
    tabs = [clients.connect(bridge.url, room.member) for _ in range(2)]
    first, again = (tab.ask("message", message(room, clientMessageId="c-1")) for tab in tabs)
    assert first == again
    assert room.last_seq == 1
    other = tabs[0].ask("message", message(room, content="else", clientMessageId="c-1"))
    assert other["error"]["code"] == "client_message_id_reused"
    assert room.last_seq == 1


def test_strangers_write_nothing(bridge: Bridge, clients: Clients, room: Room) -> None:
    """Somebody else's conversation and an unknown one get the same answer, to messages and to receipts."""
    stranger = clients.connect(bridge.url, room.outsider)
    for conversation in (str(room.id), "999999"):
        for event, body in (("message", {"content": "x"}), ("read", {"seq": 1})):
            answer = stranger.ask(event, {"conversationId": conversation, **body})
            assert answer["error"]["code"] == "not_found"
    assert room.last_seq == 0


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"content": " \n"}, "invalid"),
        ({"content": None}, "invalid"),
        ({"content": "a\x00b"}, "invalid"),
        ({"content": "é" * 2_049}, "too_long"),
        ({"type": "hologram"}, "invalid"),
        ({"type": ["text"]}, "invalid"),
        ({"clientMessageId": ""}, "invalid"),
        ({"clientMessageId": "x" * 129}, "invalid"),
        ({"conversationId": 1.5}, "invalid"),
    ],
)
def test_bad_messages_are_refused(
    bridge: Bridge, clients: Clients, room: Room, fields: dict[str, object], code: str
) -> None:
    """What REST refuses is refused here, with a code and a sentence."""
    client = clients.connect(bridge.url, room.member)
    assert client.ask("message", message(room, **fields))["error"]["code"] == code
    assert room.last_seq == 0


def test_a_flood_is_stopped(bridge: Bridge, clients: Clients, room: Room) -> None:
    """Of thirty messages at once from two tabs, the first ten are taken; others of the conversation are not held up."""
    tabs = [clients.connect(bridge.url, room.member) for _ in range(2)]
    owner = clients.connect(bridge.url, room.owner)
    for number in range(28):
        tabs[number % 2].tell("message", message(room, content=str(number)))
    last = [tab.ask("message", message(room, content="last")) for tab in tabs]
    assert owner.ask("message", message(room))["ok"]
    assert room.last_seq <= 21  # a second may have passed meanwhile
    assert all(answer.get("ok") or answer["error"]["code"] == "rate_limited" for answer in last)


def test_reading_moves_forward_only(
    bridge: Bridge, clients: Clients, room: Room, conn: psycopg.Connection[DictRow]
) -> None:
    """As over REST: an agent's receipt lowers the unread count, with an event; an older one changes nothing."""
    sender, reader = (clients.connect(bridge.url, user) for user in (room.member, room.owner))
    for _ in range(3):
        assert sender.ask("message", message(room))["ok"]
    for seq, unread, last_seq in ((2, 1, 4), (2, 1, 4), (1, 1, 4), (99, 0, 5)):
        assert reader.ask("read", {"conversationId": str(room.id), "seq": seq})["ok"]
        row = one(conn, "select unread_count, last_seq, read_seq from conversations")
        assert (row["unread_count"], row["last_seq"]) == (unread, last_seq)
    assert row["read_seq"] == 4
    updates = [event for event in room.events() if event.type == "conversation.updated"]
    assert [event.payload["unreadCount"] for event in updates] == [1, 0]
    assert sender.ask("read", {"conversationId": str(room.id), "seq": 3})["ok"], "a client's receipt is only its own"
    rows = conn.execute("select role, last_read_seq from conversation_participants order by role").fetchall()
    assert [(row["role"], row["last_read_seq"]) for row in rows] == [("client", 3), ("owner", 4)]
