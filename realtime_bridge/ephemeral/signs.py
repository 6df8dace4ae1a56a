"""Signs that cross between the sides: somebody types, comes or goes. Pure.

Loops are kept out by two marks that every crossed sign carries: where it comes from and how many bridges it has passed.
A sign with an origin other than the side it was heard on, or with a hop, is never passed on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from realtime_bridge.legacy.frame import Emit, conversation_room

TYPING_EXPIRES_S = 8.0  # clients refresh every 3 to 5 s; one lost refresh must not look like a pause
TOPIC = "presence:"


class Kind(StrEnum):
    TYPING = "presence.typing"
    JOIN = "presence.join"
    LEAVE = "presence.leave"


class Origin(StrEnum):
    LEGACY = "legacy"
    SUPABASE = "supabase"
    API = "api"
    WUZAPI = "wuzapi"  # a contact on a phone, who is no user: its id is made of channel and address


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    kind: Kind
    conversation_id: int
    user_id: UUID
    origin: Origin
    username: str | None = None
    is_typing: bool = False
    hop: int = 0
    event_id: UUID = field(default_factory=uuid4)


def topic_of(conversation_id: int) -> str:
    return f"{TOPIC}{conversation_id}"


def crossed(sign: Sign, now: datetime) -> dict[str, Any]:
    """Return the payload with which a sign of the legacy side is said on the Supabase side."""
    return {
        "conversationId": sign.conversation_id,
        "userId": str(sign.user_id),
        "username": sign.username,
        "isTyping": sign.is_typing,
        "lastSeen": _text(now),
        "origin": sign.origin.value,
        "hop": sign.hop + 1,
        "eventId": str(sign.event_id),
        "expiresAt": _text(now + timedelta(seconds=TYPING_EXPIRES_S)),
    }


def heard(conversation_id: int, event: str, payload: Mapping[str, Any]) -> Sign | None:
    """Read what a client sent in `presence:{id}`; None for what is not a client's own sign of typing.

    The channel says which conversation it is, whatever the payload claims.
    """
    is_own = payload.get("origin") in (None, Origin.SUPABASE.value) and payload.get("hop") in (None, 0)
    is_typing = payload.get("isTyping")
    if event != Kind.TYPING or not is_own or not isinstance(is_typing, bool):
        return None
    user_id = _uuid(payload.get("userId"))
    if user_id is None:
        return None
    return Sign(
        kind=Kind.TYPING,
        conversation_id=conversation_id,
        user_id=user_id,
        origin=Origin.SUPABASE,
        is_typing=is_typing,
        event_id=_uuid(payload.get("eventId")) or uuid4(),
    )


def people(state: Mapping[str, Sequence[Mapping[str, Any]]]) -> frozenset[UUID]:
    """Return the users that a channel's presence shows: `userId` of what they track, else the presence key.

    What a bridge tracks stands for the other side and is left out.
    """
    found = set[UUID]()
    for key, metas in state.items():
        for meta in metas:
            user_id = _uuid(meta.get("userId")) or _uuid(key)
            if user_id and meta.get("origin") in (None, Origin.SUPABASE.value):
                found.add(user_id)
    return frozenset(found)


def stand_in(user_id: UUID, username: str | None, bridge: str) -> dict[str, Any]:
    """Return what a legacy user's entry in the channel's presence says; its key is the user's id."""
    return {"userId": str(user_id), "username": username, "origin": Origin.LEGACY.value, "bridge": bridge}


def presence(conversation_id: int, user_id: UUID, *, is_online: bool, room: str | None = None) -> Emit:
    """Return the frame that tells legacy clients who is there. Old ones have no word for it and ignore it."""
    data = {
        "conversationId": str(conversation_id),
        "userId": str(user_id),
        "isOnline": is_online,
        "lastSeen": _text(datetime.now(UTC)),
    }
    rooms = (room or conversation_room(conversation_id),)
    return Emit(event="presence", data=data, rooms=rooms, conversation_id=conversation_id)


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
