"""Typing: seen by the others in the conversation, by nobody else, and not too often."""

from typing import Any

import pytest

from tests.integration.legacy.clients import Clients
from tests.integration.legacy.conftest import Room
from tests.integration.legacy.harness import Bridge


def test_typing_reaches_the_others_only(bridge: Bridge, clients: Clients, room: Room) -> None:
    """Who types does not hear of it; who listens does, with the typist's id."""
    typist, listener, elsewhere = (clients.connect(bridge.url, user) for user in (room.member, room.owner, room.owner))
    for client in (typist, listener):
        client.subscribe(room.id)
    sign = {"conversationId": str(room.id), "isTyping": True}
    assert typist.ask("typing", sign) == {"ok": True}
    assert listener.wait_event("typing") == sign | {"userId": str(room.member)}
    assert typist.ask("typing", sign | {"isTyping": False}) == {"ok": True}
    assert listener.wait_event("typing", times=2)["isTyping"] is False
    assert (typist.received("typing"), elsewhere.received("typing")) == ([], [])


def test_typing_needs_a_subscription(bridge: Bridge, clients: Clients, room: Room) -> None:
    """Neither a stranger nor a member who has not subscribed can be seen typing."""
    listener = clients.connect(bridge.url, room.owner)
    listener.subscribe(room.id)
    for user in (room.outsider, room.member):
        client = clients.connect(bridge.url, user)
        answer = client.ask("typing", {"conversationId": str(room.id), "isTyping": True})
        assert answer["error"]["code"] == "not_subscribed"
    assert listener.received("typing") == []


def test_keystrokes_are_folded(bridge: Bridge, clients: Clients, room: Room) -> None:
    """Fifty signs within a second, from two tabs of one user, are one start and one stop for the others."""
    tabs = [clients.connect(bridge.url, room.member) for _ in range(2)]
    listener = clients.connect(bridge.url, room.owner)
    for client in (*tabs, listener):
        client.subscribe(room.id)
    for number in range(50):
        tabs[number % 2].tell("typing", {"conversationId": str(room.id), "isTyping": True})
    for tab in tabs:
        assert tab.ask("typing", {"conversationId": str(room.id), "isTyping": False}) == {"ok": True}
    listener.wait_event("typing", times=2)
    assert [sign["isTyping"] for sign in listener.received("typing")] == [True, False]


def test_typist_who_vanishes_stops_typing(bridge: Bridge, clients: Clients, room: Room) -> None:
    """A socket that ends while its user types is a stop for the others."""
    typist, listener = (clients.connect(bridge.url, user) for user in (room.member, room.owner))
    for client in (typist, listener):
        client.subscribe(room.id)
    typist.ask("typing", {"conversationId": str(room.id), "isTyping": True})
    typist.close()
    assert listener.wait_event("typing", times=2)["isTyping"] is False


@pytest.mark.parametrize(
    "sign", [None, "1", {}, {"conversationId": "1"}, {"conversationId": 1.5, "isTyping": True},
             {"conversationId": "1", "isTyping": "yes"}, {"conversationId": ["1"], "isTyping": True}],
)  # fmt: skip
def test_wrong_signs_are_answered(bridge: Bridge, clients: Clients, room: Room, sign: Any) -> None:
    """A sign of the wrong shape gets an error."""
    client = clients.connect(bridge.url, room.member)
    client.subscribe(room.id)
    assert client.ask("typing", sign)["error"]["code"] == "invalid"
