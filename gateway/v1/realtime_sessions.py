"""`POST /realtime/sessions`: where a user's realtime events come from. Parse, call the service, render.

Asked by the backend of a chat, for its signed-in user, with a key of the scope `realtime:session`: at the start of a
page, before the token runs out, and whenever `rollout.changed` arrives on either side.
"""

from uuid import UUID

from flask import Response

from gateway.database import Database
from gateway.domain.keys import Scope
from gateway.errors import NotFound, RealtimeNotConfigured
from gateway.http import rendering
from gateway.http.routes import Route
from gateway.live.provider_choice import ProviderChoice
from gateway.services import realtime_sessions as service
from gateway.services.realtime_sessions import Access, RealtimeSession
from gateway.settings import Settings
from gateway.v1.paths import PREFIX
from gateway.v1.schemas import realtime_sessions as schemas
from gateway.v1.schemas.realtime_sessions import CreateRealtimeSession
from realtime_bridge.shared.topics import conversation_topic, inbox_topic
from realtime_bridge.shared.variables import Told


def create_session(
    database: Database, choices: ProviderChoice, settings: Settings, account_id: UUID, body: CreateRealtimeSession
) -> Response:
    """Make a realtime session. For your backend, on behalf of a signed-in user who takes part in conversations of
    yours: which provider to connect to, why, with which token, which channels to join, and where to catch up.

    With `supabase`: `createClient(url, publicKey, { accessToken })`, where `accessToken` asks for a new session a
    minute before `expiresAt`, for it is called every 25 seconds; `await supabase.realtime.setAuth()`, then subscribe to
    each of `topics` as a private channel. A token given to `setAuth` itself is forgotten when the line is cut. With
    `socketio`: `io(url, { path, auth })`, where `auth` is a function that sends the latest token; then
    `subscribe:conversation` for each conversation, and `socket.emit('token', token)` with each new token at once: a
    legacy socket ends with its own, and by it the operator sees that its client follows. After each subscribing, fetch
    messages with `after_seq`. The README has the whole clients. While both sides are fed, `standby` says the same of
    the other one: told `supabase`, keep the legacy socket open as well, show what is first and drop what comes twice by
    `eventId`, so a failure of either side is not noticed. When `rollout.changed` arrives, ask again. A user whom the
    project has taken out of the account (`crossfade users forbid`) is answered like one whom nobody knows.
    """
    session = service.create_session(database, choices, settings, account_id, body.user_id, body.conversation_ids)
    # The answer holds a token: no cache on the way may keep it.
    return rendering.one(_shown(session), {"Cache-Control": "no-store"})


ROUTES = (
    Route(
        "POST",
        f"{PREFIX}/realtime/sessions",
        create_session,
        area="realtime_sessions",
        tag="Realtime",
        status=201,
        answer=schemas.RealtimeSession,
        example={"userId": "2f1c8a9e-3b4d-4c5e-8f60-718293a4b5c6"},
        problems=(NotFound, RealtimeNotConfigured),
        own_scope=Scope.SESSION,
        calls_out=True,  # another flag provider
    ),
)


def _shown(session: RealtimeSession) -> dict[str, object]:
    return _access(session, session.access) | {
        "reason": rendering.shown(session.choice, schemas.ProviderReason),
        "version": session.choice.version,
        "userId": session.user_id,
        "standby": session.standby and _access(session, session.standby),
        "token": session.token,
        "expiresAt": session.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "catchUp": [{"conversationId": place.id, "seq": place.last_seq} for place in session.places],
    }


def _access(session: RealtimeSession, access: Access) -> dict[str, object]:
    topics = _topics(session) if access.provider is Told.SUPABASE else []
    return rendering.shown(access, schemas.RealtimeSide, topics=topics)


def _topics(session: RealtimeSession) -> list[str]:
    """Private channels to join; the legacy side has rooms instead, by the ids of the conversations."""
    conversations = [conversation_topic(place.id) for place in session.places]
    presences = [f"presence:{place.id}" for place in session.places]
    return [inbox_topic(session.user_id), *conversations, *presences]
