"""Subscriptions: members hear a conversation, others cannot tell it from one that does not exist."""

import asyncio
from typing import Any

import psycopg
import pytest
from psycopg.rows import DictRow

from realtime_bridge.event_log.event import Event
from realtime_bridge.legacy.conversations import StoredConversations
from realtime_bridge.legacy.socketio.dialect import typing
from tests.factories import append_message
from tests.integration.legacy.clients import Clients
from tests.integration.legacy.conftest import Room, make_room
from tests.integration.legacy.harness import Bridge, token

NOT_FOUND = {"error": {"code": "not_found", "message": "There is no such conversation."}}


def test_stranger_gets_the_answer_for_an_unknown_conversation(bridge: Bridge, clients: Clients, room: Room) -> None:
    """Somebody else's conversation, an unknown one and a text that is no id are answered alike; nothing is joined."""
    member, stranger = (clients.connect(bridge.url, user) for user in (room.member, room.outsider))
    member.subscribe(room.id)
    for wanted in (str(room.id), "999999999", "no-such-id", "9" * 40, "٣"):
        assert stranger.ask("subscribe:conversation", wanted) == NOT_FOUND
    assert stranger.wait_event("error", times=5) == NOT_FOUND["error"] | {"event": "subscribe:conversation"}
    bridge.deliver(room.append("secret"))
    member.wait_event("message")
    assert (stranger.received("message"), stranger.received("conversation")) == ([], [])


def test_a_list_says_how_new_its_state_is(bridge: Bridge, clients: Clients, room: Room) -> None:
    """A `conversation` that tells of an older event names that one, and says up to which event its state goes."""
    client = clients.connect(bridge.url, room.member)
    events = room.append("one", "two")
    for times, event in enumerate(events, 1):
        bridge.deliver([event])
        told = client.wait_event("conversation", times)
        assert (told["eventId"], told["seq"]) == (str(event.event_id), times)
        assert (told["lastMessage"]["content"], told["stateSeq"]) == ("two", 2)


def test_an_id_may_be_the_number_that_rest_shows(bridge: Bridge, clients: Clients, room: Room) -> None:
    """REST says `"id": 7`, the dialect says `"7"`: both subscribe."""
    client = clients.connect(bridge.url, room.member)
    assert client.ask("subscribe:conversation", room.id)["conversationId"] == str(room.id)
    bridge.deliver(room.append("hello"))
    assert client.wait_event("message")["content"] == "hello"


@pytest.mark.parametrize(
    "arguments",
    [[], [1.5], [None], [True], [["1"]], [{"id": "1"}], ["1" * 65], [""], ["1", 5], ["1", {"afterSeq": "5"}],
     ["1", {"afterSeq": -1}], ["1", {"afterSeq": True}], ["1", {"afterSeq": 1.5}], ["1", {"afterSeq": 2**70}],
     ["1", {}, 3], ["1", []]],
)  # fmt: skip
def test_wrong_arguments_are_answered_and_forgotten(
    bridge: Bridge, clients: Clients, room: Room, arguments: list[Any]
) -> None:
    """A wrong type gets an error of its own, and the same socket goes on."""
    client = clients.connect(bridge.url, room.member)
    assert client.ask("subscribe:conversation", *arguments)["error"]["code"] == "invalid"
    assert client.wait_event("error")["code"] == "invalid"
    assert client.subscribe(room.id)["ok"] is True


def test_unknown_events_are_answered(bridge: Bridge, clients: Clients, room: Room) -> None:
    """An event that the dialect does not have gets an error, also when it is named like one the server sends."""
    client = clients.connect(bridge.url, room.member)
    for event in ("conversation", "nothing", "__proto__"):
        assert client.ask(event, {"any": "thing"})["error"]["code"] == "unknown_event"


def test_unsubscribed_socket_hears_no_more(bridge: Bridge, clients: Clients, room: Room) -> None:
    """After unsubscribing, a socket still hears of the conversation in its list, but not what is said."""
    leaving, staying = (clients.connect(bridge.url, room.member) for _ in range(2))
    for client in (leaving, staying):
        client.subscribe(room.id)
    assert leaving.ask("unsubscribe:conversation", str(room.id)) == {"ok": True, "conversationId": str(room.id)}
    bridge.deliver(room.append("late"))
    staying.wait_event("message")
    leaving.wait_event("conversation")
    assert leaving.received("message") == []


def test_expired_token_opens_nothing_more(bridge: Bridge, clients: Clients, room: Room) -> None:
    """A token that runs out after connecting gives no further access."""
    client = clients.open(bridge.url, {"token": token(room.member, ttl_s=2)})
    client.wait("connect")
    assert client.subscribe(room.id)["ok"] is True
    bridge.call(_expire(bridge))
    assert client.subscribe(room.id)["error"]["code"] == "token_expired"


async def _expire(bridge: Bridge) -> None:
    bridge.server.sessions._now = lambda: 2.0**40


def test_membership_is_asked_at_that_moment(
    bridge: Bridge, clients: Clients, room: Room, conn: psycopg.Connection[DictRow]
) -> None:
    """Somebody who was removed cannot subscribe again, and a repeated subscription ends the one that was."""
    client = clients.connect(bridge.url, room.member)
    client.subscribe(room.id)
    conn.execute("delete from conversation_participants where user_id = %s", (room.member,))
    assert client.subscribe(room.id) == NOT_FOUND
    bridge.publish(typing(room.id, room.owner, is_typing=True))
    assert client.ask("typing", {"conversationId": str(room.id), "isTyping": True})["error"]["code"] == "not_subscribed"
    assert client.received("typing") == []


def test_a_removal_that_nobody_announced_ends_with_the_next_message(
    bridge: Bridge, clients: Clients, room: Room, conn: psycopg.Connection[DictRow]
) -> None:
    """A row that somebody deleted by hand, or an event that this side was not fed, lets no message through."""
    gone, staying = clients.connect(bridge.url, room.member), clients.connect(bridge.url, room.owner)
    for client in (gone, staying):
        client.subscribe(room.id)
    conn.execute("delete from conversation_participants where user_id = %s", (room.member,))
    bridge.deliver(room.append("secret"))
    staying.wait_event("message")
    assert gone.ask("typing", {"conversationId": str(room.id), "isTyping": True})["error"]["code"] == "not_subscribed"
    assert (gone.received("message"), gone.received("conversation")) == ([], [])


def test_whoever_is_let_in_again_hears_again(
    bridge: Bridge, clients: Clients, room: Room, conn: psycopg.Connection[DictRow]
) -> None:
    """An event from before that subscription says nothing about it, however late it is delivered."""
    client = clients.connect(bridge.url, room.member)
    removal = room.remove(room.member)
    conn.execute(
        "insert into conversation_participants (conversation_id, user_id, role) values (%s, %s, 'client')",
        (room.id, room.member),
    )
    client.subscribe(room.id)
    bridge.deliver(removal)
    bridge.deliver(room.append("hello again"))
    assert client.wait_event("message")["content"] == "hello again"


def test_removed_during_the_catch_up(
    bridge: Bridge, clients: Clients, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is removed between the question and the room gets nothing from the log and is not subscribed."""
    room.append("one")
    read = StoredConversations.read_events

    async def read_late(self: StoredConversations, *place: Any) -> list[Event]:
        await bridge.sink.deliver(await asyncio.to_thread(room.remove, room.member), None)
        return await read(self, *place)

    monkeypatch.setattr(StoredConversations, "read_events", read_late)
    client = clients.connect(bridge.url, room.member)
    assert client.subscribe(room.id, after_seq=0) == NOT_FOUND
    bridge.deliver(room.append("two"))
    assert client.wait_event("error")["code"] == "not_found"
    assert client.received("message") == []


def test_database_outage_is_an_answer(
    bridge: Bridge, clients: Clients, room: Room, conn: psycopg.Connection[DictRow]
) -> None:
    """While the database cannot answer, the client is told to try again, and the socket lives."""
    client = clients.connect(bridge.url, room.member)
    conn.execute("alter table conversations rename to hidden")
    assert client.subscribe(room.id)["error"]["code"] == "unavailable"
    conn.execute("alter table hidden rename to conversations")
    assert client.subscribe(room.id)["ok"] is True


def test_subscriptions_of_a_socket_are_bounded(
    bridge: Bridge, clients: Clients, conn: psycopg.Connection[DictRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One subscription too many is refused; repeating one is not."""
    monkeypatch.setattr("realtime_bridge.legacy.socketio.handlers.MAX_SUBSCRIPTIONS", 1)
    room, other = make_room(conn), make_room(conn)
    conn.execute(
        "insert into conversation_participants (conversation_id, user_id, role) values (%s, %s, 'client')",
        (other.id, room.member),
    )
    client = clients.connect(bridge.url, room.member)
    assert client.subscribe(room.id)["ok"] is True
    assert client.subscribe(other.id)["error"]["code"] == "too_many_subscriptions"
    assert client.subscribe(room.id)["ok"] is True


def test_many_subscriptions_in_one_polling_request(bridge: Bridge, clients: Clients, room: Room) -> None:
    """A polling client that subscribes to everything at once loses none of its requests."""
    client = clients.connect(bridge.url, room.member, transports=["polling"])
    for _ in range(60):
        client.tell("subscribe:conversation", "404")
    client.wait_event("error", times=60)


def test_five_hundred_messages_arrive_in_order(bridge: Bridge, clients: Clients, room: Room) -> None:
    """Every member gets every message once, in seq order, by either transport."""
    members = [clients.connect(bridge.url, room.member, transports=[name]) for name in ("websocket", "polling")]
    for member in members:
        member.subscribe(room.id)
    for number in range(500):
        append_message(room.connection, room.id, f"m{number}")
    assert bridge.deliver(room.events()).settled == 500
    for member in members:
        member.wait_event("message", times=500)
        assert [message["seq"] for message in member.received("message")] == list(range(1, 501))
