"""The Socket.IO dialect, event by event, from the rows that the log really holds."""

import asyncio
import json
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import AsyncConnection

from realtime_bridge.event_log.event import Event, EventType, Family
from realtime_bridge.legacy.cards import Card, StoredCards, find_cards, is_listed
from realtime_bridge.legacy.dialect import DialectError
from realtime_bridge.legacy.frame import Emit
from realtime_bridge.legacy.socketio.dialect import emits_of, typing
from realtime_bridge.shared import database
from tests.written import HTML, Written


@pytest.fixture(scope="module")
def cards(written: Written) -> dict[int, Card]:
    """Every conversation's card, as the sink reads it."""

    async def read() -> dict[int, Card]:
        async with database.pool(written.database_url, name="test", size=1) as pool:
            return dict(await StoredCards(pool).read_cards(event.conversation_id for event in written.events))

    return asyncio.run(read())


def said(event: Event, cards: dict[int, Card], name: str) -> Emit:
    """Return the one frame of this name that an event is said with."""
    (emit,) = (emit for emit in emits_of(event, cards[event.conversation_id]) if emit.event == name)
    return emit


def test_every_event_is_said(written: Written, cards: dict[int, Card]) -> None:
    """Each event of the log, whoever wrote it, becomes strict JSON for the right rooms, under its own name."""
    for event in written.events:
        emits = emits_of(event, cards[event.conversation_id])
        assert emits, event
        for emit in emits:
            assert json.loads(json.dumps(emit.data, allow_nan=False)) == emit.data
            assert (emit.data["eventId"], emit.data["seq"], emit.seq) == (str(event.event_id), event.seq, event.seq)
            people = tuple(f"user:{user}" for user in event.participants)
            assert emit.rooms == (
                people if emit.event == "conversation" else (f"conversation:{event.conversation_id}",)
            )
    assert {kind for kind in EventType if is_listed(written_of(written, kind))} == {
        EventType.MESSAGE_NEW,
        *(kind for kind in EventType if kind.family is Family.CONVERSATION),
    }


def written_of(written: Written, kind: EventType) -> Event:
    return next(event for event in written.events if event.type == kind)


def test_message_says_what_the_log_says(written: Written, cards: dict[int, Card]) -> None:
    """A new message is a `message` of the old shape; the account sent what nobody else did."""
    event = written.event("sent")
    assert said(event, cards, "message").data == {
        "id": str(event.payload["id"]), "workspaceId": str(written.account_id),
        "conversationId": str(written.conversation_id), "senderId": str(written.account_id), "type": "text",
        "content": HTML, "status": "pending", "metadata": {"note": 1, "attachments": ["mine"]},
        "createdAt": event.payload["createdAt"], "updatedAt": event.payload["updatedAt"],
        "eventId": str(event.event_id), "seq": event.seq, "messageSeq": event.seq, "direction": "outgoing",
        "clientMessageId": "c-1",
    }  # fmt: skip
    received = said(written.event("received"), cards, "message").data
    assert (received["senderId"], received["status"]) == ("5491155553934", "delivered")
    reply = said(written.event("replied"), cards, "message").data
    assert (reply["replyToMessageId"], reply["senderId"]) == (received["id"], str(written.agent_id))


def test_attachments_reach_old_clients(written: Written, cards: dict[int, Card]) -> None:
    """What REST shows of a file is in the frame as well; a document is a `file`."""
    picture = said(written.event("picture"), cards, "message").data
    assert (picture["type"], picture["content"], picture["attachments"]) == ("image", "", [written.attachment])
    documents = said(written.event("documents"), cards, "message").data
    assert documents["type"] == "file"
    assert [file["fileName"] for file in documents["attachments"]] == ["two.png", "three.png"]
    assert "attachments" not in said(written.event("received"), cards, "message").data


def test_deleted_message_is_an_empty_one(written: Written, cards: dict[int, Card]) -> None:
    """Nothing of a deleted message's content or attachments is sent, whichever event tells of it."""
    deleted = written.event("deleted")
    for event in (deleted, replace(deleted, type="message.updated")):
        data = said(event, cards, "message").data
        assert (data["content"], data["metadata"]["deleted"]) == ("", True)
        assert "attachments" not in data


def test_status_goes_to_the_room(written: Written, cards: dict[int, Card]) -> None:
    """A status is a `messageStatus` with the message's id as a string, also one that a provider reported."""
    for step, status in (("status delivered", "delivered"), ("failed", "failed")):
        event = written.event(step)
        assert said(event, cards, "messageStatus").data == {
            "messageId": str(event.payload["id"]), "status": status, "conversationId": str(event.conversation_id),
            "eventId": str(event.event_id), "seq": event.seq,
        }  # fmt: skip
    edited = said(written.event("edited"), cards, "message").data
    assert (edited["content"], edited["metadata"]["providerMessageId"]) == ("<i>Hi</i>", "wamid.1")


def test_a_conversation_has_one_shape(written: Written, cards: dict[int, Card]) -> None:
    """A `conversation` always has the same fields, the same people, what is unread and the last message."""
    frames = [
        emit.data
        for event in written.events
        if event.conversation_id == written.conversation_id
        for emit in emits_of(event, cards[event.conversation_id])
        if emit.event == "conversation"
    ]
    said_of = {json.dumps({**frame, "eventId": "", "seq": 0}, sort_keys=True) for frame in frames}
    assert len(said_of) == 1
    frame = frames[0]
    newest = written.event("from a socket").payload
    assert frame["lastMessage"] == {
        "id": str(newest["id"]), "content": "From a socket", "senderId": str(written.client_id),
        "createdAt": newest["createdAt"],
    }  # fmt: skip
    assert frame["unreadCount"] == 1  # the one from a socket
    assert (frame["channel"], frame["sourceChannel"], frame["status"]) == ("api", "api", "open")
    assert frame["priority"] == "urgent"


def test_people_have_names(written: Written, cards: dict[int, Card]) -> None:
    """Of a profile, an address or the role; the contact its own name, else its number. Never an id."""
    people = said(written.event("created"), cards, "conversation").data["participants"]
    assert {person["id"]: person["name"] for person in people} == {
        str(written.account_id): "owner",
        str(written.agent_id): "bea.agent",
        str(written.client_id): "Ana Client",
        "5491155553934@s.whatsapp.net": "5491155553934",
    }
    told = said(written.event("from a phone"), cards, "conversation").data
    assert told["participants"][-1]["name"] == "Ana"


def test_what_is_whatsapp_is_called_so(written: Written, cards: dict[int, Card]) -> None:
    """It is a number's whatever the account calls it, and nothing else is; the account's own word is told, too."""
    told = said(written.event("from a phone"), cards, "conversation").data
    assert (told["channel"], told["sourceChannel"]) == ("whatsapp", "hotline")
    told = said(written.event("created"), cards, "conversation").data
    assert (told["channel"], told["sourceChannel"]) == ("api", "api")


def test_last_message_without_words_is_named(written: Written) -> None:
    """The list shows `[image]` for a picture without a text, as `lastMessagePreview` does."""
    card = asyncio.run(card_at(written, "picture"))
    listed = said(written.event("picture"), {written.conversation_id: card}, "conversation").data
    assert listed["lastMessage"]["content"] == listed["lastMessagePreview"] == "[image]"


async def card_at(written: Written, step: str) -> Card:
    """Read the card as it was after a step, within a transaction that takes back what came later."""
    event = written.event(step)
    newer = "delete from chat_messages where conversation_id = %s and seq > %s"
    shown = "update conversations set last_message_preview = crossfade.preview('', 'image') where id = %s"
    async with (
        await AsyncConnection.connect(written.database_url) as connection,
        connection.transaction(force_rollback=True),
    ):
        await connection.execute(newer, (event.conversation_id, event.seq))
        await connection.execute(shown, (event.conversation_id,))
        return (await find_cards(connection, [event.conversation_id]))[event.conversation_id]


def test_nothing_is_said_of_what_has_no_word(written: Written, cards: dict[int, Card]) -> None:
    """A type of later times says nothing to old clients; neither does a list nobody looks at, or one that is gone."""
    event, card = written.event("created"), cards[written.conversation_id]
    assert emits_of(replace(event, type="conversation.painted"), card) == ()
    assert emits_of(replace(event, participants=()), card) == ()
    assert emits_of(event, None) == ()


@pytest.mark.parametrize(
    ("step", "changes"),
    [
        ("sent", {"id": None}),
        ("sent", {"id": True}),
        ("sent", {"messageType": "hologram"}),
        ("sent", {"status": "lost"}),
        ("sent", {"metadata": [1]}),
        ("sent", {"metadata": {"n": float("nan")}}),
        ("sent", {"metadata": {"n": object()}}),
        ("edited", {"content": None}),
        ("status delivered", {"status": None}),
    ],
)
def test_payload_that_cannot_be_said_is_an_error(
    written: Written, cards: dict[int, Card], step: str, changes: dict[str, Any]
) -> None:
    """What would break an old client is refused here, for the sink to park."""
    event = written.event(step)
    with pytest.raises(DialectError):
        emits_of(replace(event, payload=event.payload | changes), cards[event.conversation_id])


def test_typing_is_not_stored() -> None:
    """A sign of typing has no place in the conversation's order."""
    emit = typing(5, UUID(int=2), is_typing=True)
    assert (emit.data, emit.seq) == ({"conversationId": "5", "userId": str(UUID(int=2)), "isTyping": True}, None)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(step=st.integers(0, 100), kind=st.sampled_from([*EventType, "other"]), drawn=st.data())
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_payload_is_said_or_refused(
    written: Written, cards: dict[int, Card], step: int, kind: str, drawn: st.DataObject
) -> None:
    """Whatever became of a real payload, it is said in strict JSON with `eventId` and `seq`, or refused."""
    event = written.events[step % len(written.events)]
    changes = drawn.draw(st.dictionaries(st.sampled_from(sorted(event.payload)), values, max_size=4))
    try:
        emits = emits_of(replace(event, type=kind, payload=event.payload | changes), cards[event.conversation_id])
    except DialectError:
        return
    for emit in emits:
        assert json.loads(json.dumps(emit.data, allow_nan=False)) == emit.data
        assert (emit.data["eventId"], emit.data["seq"]) == (str(event.event_id), event.seq)
