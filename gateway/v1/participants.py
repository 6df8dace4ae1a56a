"""Who takes part in a conversation, has read it, types or is there: parse, call the service, render."""

import json
from uuid import UUID

from flask import Blueprint, Response, g

from gateway.database import Database
from gateway.domain.versions import Shown
from gateway.http import rendering
from gateway.http.validation import read_body, read_query
from gateway.live.typing import Ephemeral
from gateway.services import participants as service
from gateway.v1.paths import PREFIX
from gateway.v1.schemas.fields import NoQuery
from gateway.v1.schemas.participants import MarkRead, PutParticipant, Typing

CONVERSATION = "/conversations/<row_id:conversation_id>"


def blueprint(database: Database, ephemeral: Ephemeral) -> Blueprint:
    routes = Blueprint("participants", __name__, url_prefix=PREFIX)

    def list_participants(conversation_id: int) -> Response:
        read_query(NoQuery)
        people = service.list_participants(database, g.api_key.account_id, conversation_id)
        return rendering.many(people, _whole(len(people)))

    def put_participant(conversation_id: int) -> Response:
        read_query(NoQuery)
        body = read_body(PutParticipant)
        account_id = g.api_key.account_id
        shown = service.put_participant(database, account_id, conversation_id, body.user_id, body.role)
        return _conversation(shown)

    def remove_participant(conversation_id: int, user_id: UUID) -> Response:
        read_query(NoQuery)
        return _conversation(service.remove_participant(database, g.api_key.account_id, conversation_id, user_id))

    def mark_read(conversation_id: int) -> Response:
        read_query(NoQuery)
        body = read_body(MarkRead)
        account_id = g.api_key.account_id
        reader = body.user_id or account_id
        return _conversation(service.mark_read(database, account_id, conversation_id, reader, body.seq))

    def tell_typing(conversation_id: int) -> Response:
        read_query(NoQuery)
        body = read_body(Typing)
        account_id = g.api_key.account_id
        return _typing(database, ephemeral, account_id, conversation_id, body)

    def list_present(conversation_id: int) -> Response:
        read_query(NoQuery)
        service.list_participants(database, g.api_key.account_id, conversation_id)
        people = [
            json.dumps({"userId": user_id, "sides": sides})
            for user_id, sides in ephemeral.list_present(conversation_id)
        ]
        return rendering.many(people, _whole(len(people)))

    routes.add_url_rule(f"{CONVERSATION}/participants", view_func=list_participants, methods=["GET"])
    routes.add_url_rule(f"{CONVERSATION}/participants", view_func=put_participant, methods=["POST"])
    routes.add_url_rule(f"{CONVERSATION}/participants/<uuid:user_id>", view_func=remove_participant, methods=["DELETE"])
    routes.add_url_rule(f"{CONVERSATION}/read", view_func=mark_read, methods=["POST"])
    routes.add_url_rule(f"{CONVERSATION}/typing", view_func=tell_typing, methods=["POST"])
    routes.add_url_rule(f"{CONVERSATION}/presence", view_func=list_present, methods=["GET"])
    return routes


def _typing(database: Database, ephemeral: Ephemeral, account_id: UUID, conversation_id: int, body: Typing) -> Response:
    """202, because nobody can say whether anybody saw it; `told` is false for one too many within a second."""
    user_id = body.user_id or account_id
    service.check_participant(database, account_id, conversation_id, user_id)
    told = ephemeral.take_typing(conversation_id, user_id, is_typing=body.is_typing)
    if told:
        ephemeral.publish_unstored(conversation_id, user_id, body.username, is_typing=body.is_typing)
    return rendering.one(json.dumps({"told": told}), status=202)


def _conversation(shown: Shown) -> Response:
    return rendering.one(shown.representation, headers={"ETag": shown.etag})


def _whole(count: int) -> dict[str, object]:
    """A list that is never cut."""
    return {"page": 1, "limit": None, "total": count, "hasMore": False, "nextCursor": None}
