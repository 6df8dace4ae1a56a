"""`…/participants`, `/read`, `/typing`, `/presence`: parse, call the service, render."""

from functools import partial
from uuid import UUID

from flask import Response

from gateway.database import Database
from gateway.domain.conflicts import OwnerStays, TooManyParticipants
from gateway.http import rendering
from gateway.http.routes import Route
from gateway.live.typing import Ephemeral
from gateway.services import participants as service
from gateway.shapes import chat
from gateway.v1.paths import CONVERSATION
from gateway.v1.schemas import answers
from gateway.v1.schemas.participants import MarkRead, PutParticipant, Typing

PARTICIPANTS = f"{CONVERSATION}/participants"


def list_participants(database: Database, account_id: UUID, conversation_id: int) -> Response:
    """List participants."""
    people = service.list_participants(database, account_id, conversation_id)
    return rendering.many(people, page=1, total=len(people))


def put_participant(database: Database, account_id: UUID, conversation_id: int, body: PutParticipant) -> Response:
    """Add a participant, or change a role. The project's operator says which users an account may name; any other id is
    `unknown_user`.
    """
    shown = service.put_participant(database, account_id, conversation_id, body.user_id, body.role)
    return rendering.version(shown)


def remove_participant(database: Database, account_id: UUID, conversation_id: int, user_id: UUID) -> Response:
    """Remove a participant."""
    return rendering.version(service.remove_participant(database, account_id, conversation_id, user_id))


def mark_read(database: Database, account_id: UUID, conversation_id: int, body: MarkRead) -> Response:
    """Mark as read up to a seq. Never backwards; the unread count follows."""
    reader = body.user_id or account_id
    return rendering.version(service.mark_read(database, account_id, conversation_id, reader, body.seq))


def tell_typing(
    database: Database, ephemeral: Ephemeral, account_id: UUID, conversation_id: int, body: Typing
) -> Response:
    """Tell that somebody types. Reaches who is connected and is never stored; at most one a second and user."""
    user_id = body.user_id or account_id
    service.check_participant(database, account_id, conversation_id, user_id)
    told = ephemeral.take_typing(conversation_id, user_id, is_typing=body.is_typing)
    if told:
        ephemeral.publish_unstored(conversation_id, user_id, body.username, is_typing=body.is_typing)
    return rendering.one({"told": told})


def list_present(database: Database, ephemeral: Ephemeral, account_id: UUID, conversation_id: int) -> Response:
    """List who is connected."""
    service.list_participants(database, account_id, conversation_id)
    present = ephemeral.list_present(conversation_id)
    people = [{"userId": user_id, "sides": sides} for user_id, sides in present]
    return rendering.many(people, page=1, total=len(people))


_route = partial(Route, area="participants", tag="Participants", answer=chat.Conversation)
ROUTES = (
    _route("GET", PARTICIPANTS, list_participants, is_list=True, answer=chat.Participant),
    _route(
        "POST",
        PARTICIPANTS,
        put_participant,
        example={"userId": "2f1c8a9e-3b4d-4c5e-8f60-718293a4b5c6", "role": "agent"},
        problems=(OwnerStays, TooManyParticipants),
    ),
    _route("DELETE", f"{PARTICIPANTS}/<uuid:user_id>", remove_participant, problems=(OwnerStays,)),
    _route("POST", f"{CONVERSATION}/read", mark_read, example={"seq": 12}),
    _route(
        "POST",
        f"{CONVERSATION}/typing",
        tell_typing,
        status=202,  # nobody can say whether anybody saw it
        answer=answers.TypingTold,
        example={"isTyping": True, "username": "Ana"},
        calls_out=True,  # Redis
    ),
    _route("GET", f"{CONVERSATION}/presence", list_present, is_list=True, answer=answers.Present),
)
