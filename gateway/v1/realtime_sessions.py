"""`POST /realtime/sessions`: where a user's realtime events come from. Parse, call the service, render.

Asked by the backend of a chat, for its signed-in user, with a key of the scope `realtime:session`: at the start of a
page, before the token runs out, and whenever `rollout.changed` arrives on either side.
"""

import json
from uuid import UUID

from flask import Blueprint, Response, g

from gateway.database import Database
from gateway.domain.sessions import Sides
from gateway.http import rendering
from gateway.http.validation import read_body, read_query
from gateway.live.provider_choice import ProviderChoice
from gateway.services import realtime_sessions as service
from gateway.services.realtime_sessions import RealtimeSession
from gateway.v1.paths import PREFIX
from gateway.v1.schemas.fields import NoQuery
from gateway.v1.schemas.realtime_sessions import CreateRealtimeSession
from realtime_bridge.shared.topics import conversation_topic, inbox_topic
from realtime_bridge.shared.variables import Told


def blueprint(database: Database, choices: ProviderChoice, sides: Sides) -> Blueprint:
    routes = Blueprint("realtime_sessions", __name__, url_prefix=PREFIX)

    def create_session() -> Response:
        read_query(NoQuery)
        asked = read_body(CreateRealtimeSession)
        account_id: UUID = g.api_key.account_id
        session = service.create_session(database, choices, sides, account_id, asked.user_id, asked.conversation_ids)
        # The answer holds a token: no cache on the way may keep it.
        return rendering.one(_represent(session), status=201, headers={"Cache-Control": "no-store"})

    routes.add_url_rule("/realtime/sessions", view_func=create_session, methods=["POST"])
    return routes


def _represent(session: RealtimeSession) -> str:
    choice = session.choice
    return json.dumps(
        {
            "provider": choice.provider.value,
            "reason": {
                "source": choice.source.value,
                "stage": choice.stage,
                "percentage": choice.percentage,
                "bucket": choice.bucket,
            },
            "version": choice.version,
            "userId": str(session.user_id),
            "url": session.url,
            "path": session.path,
            "publicKey": session.public_key,
            "standby": session.standby
            and {"provider": Told.SOCKETIO.value, "url": session.standby.url, "path": session.standby.path},
            "token": session.token,
            "expiresAt": session.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "topics": _topics(session),
            "catchUp": [{"conversationId": place.id, "seq": place.last_seq} for place in session.places],
        }
    )


def _topics(session: RealtimeSession) -> list[str]:
    """Private channels to join; the legacy side has rooms instead, by the ids of the conversations."""
    if session.choice.provider is not Told.SUPABASE:
        return []
    conversations = [conversation_topic(place.id) for place in session.places]
    presences = [f"presence:{place.id}" for place in session.places]
    return [inbox_topic(session.user_id), *conversations, *presences]
