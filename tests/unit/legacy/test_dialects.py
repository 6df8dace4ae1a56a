"""The Socket.IO dialect, event by event."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_bridge.events import Event, EventType
from realtime_bridge.legacy.dialects import DialectError, emits_of, typing

ACCOUNT = UUID(int=1)
AGENT = UUID(int=2)
EVENT_ID = UUID(int=9)
MOMENT = "2026-01-02T03:04:05.000006Z"
MESSAGE: dict[str, Any] = {
    "id": 77, "conversationId": 5, "seq": 3, "eventId": str(EVENT_ID), "messageSeq": 2, "content": "hi <b>",
    "direction": "outgoing", "status": "sent", "messageType": "text", "metadata": {}, "clientMessageId": "c-1",
    "providerMessageId": None, "senderId": None, "replyToId": None, "createdAt": MOMENT, "updatedAt": MOMENT,
    "editedAt": None, "deletedAt": None,
}  # fmt: skip
CONVERSATION: dict[str, Any] = {
    "id": 5, "seq": 3, "eventId": str(EVENT_ID), "contactJid": "55@s.whatsapp.net", "contactName": "Ana",
    "channel": "api", "status": "open", "assignedAgentId": str(AGENT), "assignedBotId": None, "lastMessageAt": MOMENT,
    "lastMessagePreview": "hi", "unreadCount": 4, "createdAt": MOMENT, "updatedAt": MOMENT,
}  # fmt: skip


def event(kind: str, payload: dict[str, Any], **changes: Any) -> Event:
    return replace(
        Event(
            id=1,
            event_id=EVENT_ID,
            account_id=ACCOUNT,
            conversation_id=5,
            seq=3,
            type=kind,
            payload=payload,
            origin="api",
            created_at=datetime(2026, 1, 2, tzinfo=UTC),
            participants=(ACCOUNT, AGENT),
        ),
        **changes,
    )


def test_new_message_goes_to_its_room_and_to_every_list() -> None:
    """A new message is a `message` for the room and moves the conversation up in each participant's list."""
    message, listed = emits_of(event("message.new", MESSAGE))
    assert (message.event, message.rooms, message.seq) == ("message", ("conversation:5",), 3)
    assert message.data == {
        "id": "77", "workspaceId": str(ACCOUNT), "conversationId": "5", "senderId": str(ACCOUNT), "type": "text",
        "content": "hi <b>", "status": "sent", "metadata": {}, "createdAt": MOMENT, "updatedAt": MOMENT,
        "eventId": str(EVENT_ID), "seq": 3, "messageSeq": 2, "direction": "outgoing", "clientMessageId": "c-1",
    }  # fmt: skip
    assert (listed.event, listed.rooms) == ("conversation", (f"user:{ACCOUNT}", f"user:{AGENT}"))
    assert listed.data == {
        "id": "5", "workspaceId": str(ACCOUNT), "channel": "whatsapp", "updatedAt": MOMENT,
        "participants": [{"id": str(who), "name": str(who)} for who in (ACCOUNT, AGENT)],
        "lastMessage": {"id": "77", "content": "hi <b>", "senderId": str(ACCOUNT), "createdAt": MOMENT},
        "eventId": str(EVENT_ID), "seq": 3,
    }  # fmt: skip


def test_words_of_the_old_dialect() -> None:
    """A document is a `file`, ids are strings, and what is optional is there when it is known."""
    payload = MESSAGE | {
        "messageType": "document", "replyToId": 70, "senderId": "55@x", "providerMessageId": "wamid.1",
        "metadata": {"attachments": [{"url": "https://f/1"}], "note": 1}, "direction": "incoming",
    }  # fmt: skip
    data = emits_of(event("message.updated", payload))[0].data
    assert (data["type"], data["replyToMessageId"], data["senderId"]) == ("file", "70", "55@x")
    assert data["metadata"] == {"note": 1, "providerMessageId": "wamid.1"}
    assert data["attachments"] == [{"url": "https://f/1"}]
    assert emits_of(event("message.new", MESSAGE | {"direction": "incoming"}))[0].data["senderId"] == ""


@pytest.mark.parametrize("kind", ["message.deleted", "message.updated"])
def test_deleted_message_is_an_empty_one(kind: str) -> None:
    """Nothing of a deleted message's content or attachments is sent, whichever event tells of it."""
    payload = MESSAGE | {"deletedAt": MOMENT, "metadata": {"attachments": [1], "secret": "x"}}
    (emit,) = emits_of(event(kind, payload))
    assert (emit.data["content"], emit.data["metadata"]) == ("", {"deleted": True, "deletedAt": MOMENT})
    assert "attachments" not in emit.data


def test_status_goes_to_the_room() -> None:
    """A status is a `messageStatus` with the message's id as a string."""
    (emit,) = emits_of(event("message.status", MESSAGE | {"status": "read"}))
    assert (emit.event, emit.rooms) == ("messageStatus", ("conversation:5",))
    assert emit.data == {
        "messageId": "77", "status": "read", "conversationId": "5", "eventId": str(EVENT_ID), "seq": 3,
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["conversation.new", "conversation.updated", "conversation.assigned"])
def test_conversation_goes_to_every_list(kind: str) -> None:
    """A conversation's own events reach the lists, with the contact among the participants."""
    (emit,) = emits_of(event(kind, CONVERSATION))
    assert (emit.event, emit.rooms) == ("conversation", (f"user:{ACCOUNT}", f"user:{AGENT}"))
    assert emit.data["participants"][-1] == {"id": "55@s.whatsapp.net", "name": "Ana"}
    assert (emit.data["channel"], emit.data["sourceChannel"], emit.data["unreadCount"]) == ("whatsapp", "api", 4)
    assert "lastMessage" not in emit.data


def test_nothing_is_said_of_what_has_no_word() -> None:
    """An event type of later times says nothing to old clients; neither does a list nobody looks at."""
    assert emits_of(event("rollout.changed", {})) == ()
    assert emits_of(event("conversation.new", CONVERSATION, participants=())) == ()


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("message.new", {}),
        ("message.new", MESSAGE | {"id": None}),
        ("message.new", MESSAGE | {"id": True}),
        ("message.new", MESSAGE | {"messageType": "hologram"}),
        ("message.new", MESSAGE | {"status": "lost"}),
        ("message.new", MESSAGE | {"metadata": [1]}),
        ("message.new", MESSAGE | {"metadata": {"n": float("nan")}}),
        ("message.new", MESSAGE | {"metadata": {"n": object()}}),
        ("message.updated", MESSAGE | {"content": None}),
        ("message.status", {"id": 1}),
        ("conversation.new", CONVERSATION | {"contactJid": None}),
    ],
)
def test_payload_that_cannot_be_said_is_an_error(kind: str, payload: dict[str, Any]) -> None:
    """What would break an old client is refused here, for the sink to park."""
    with pytest.raises(DialectError):
        emits_of(event(kind, payload))


def test_typing_is_not_stored() -> None:
    """A sign of typing has no place in the conversation's order."""
    emit = typing(5, AGENT, is_typing=True)
    assert (emit.data, emit.seq) == ({"conversationId": "5", "userId": str(AGENT), "isTyping": True}, None)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    kind=st.sampled_from([*EventType, "other"]),
    base=st.sampled_from([MESSAGE, CONVERSATION]),
    changes=st.dictionaries(st.sampled_from([*MESSAGE, *CONVERSATION]), values, max_size=4),
)
def test_any_payload_is_said_or_refused(kind: str, base: dict[str, Any], changes: dict[str, Any]) -> None:
    """Whatever a payload holds, the outcome is frames of strict JSON with `eventId` and `seq`, or a DialectError."""
    try:
        emits = emits_of(event(kind, base | changes))
    except DialectError:
        return
    for emit in emits:
        assert json.loads(json.dumps(emit.data, allow_nan=False)) == emit.data
        assert (emit.data["eventId"], emit.data["seq"]) == (str(EVENT_ID), 3)
