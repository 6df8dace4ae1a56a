"""Realtime sessions: where a client's events come from, and from where on. One transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from gateway.database import Database
from gateway.errors import NotFound, RealtimeNotConfigured
from gateway.live.provider_choice import Choice, ProviderChoice
from gateway.services.conversations import NO_SUCH
from gateway.settings import Settings
from gateway.store import realtime_sessions as store
from gateway.store.realtime_sessions import Place
from realtime_bridge.shared.canary_user import CANARY_ID
from realtime_bridge.shared.tokens import mint_user_token
from realtime_bridge.shared.variables import Told

LEGACY_PATH = "/api/ws"  # realtime_bridge/legacy/socketio/server.py
LATEST = 33  # conversations when none are named: with inbox and presence they fit Supabase's 100 channels of a socket
NO_SUCH_USER = "There is no such user in a conversation of yours."


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where a client reaches a side; `url` None is the address that it knows already."""

    provider: Told
    url: str | None
    path: str | None = None
    public_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RealtimeSession:
    """`standby` is the other side, while both are fed."""

    choice: Choice
    user_id: UUID
    access: Access
    standby: Access | None
    token: str
    expires_at: datetime
    places: tuple[Place, ...]


def create_session(
    database: Database,
    choices: ProviderChoice,
    settings: Settings,
    account_id: UUID,
    user_id: UUID,
    conversation_ids: Sequence[int] | None,
) -> RealtimeSession:
    """Decide, note what was decided, and sign a token for it.

    The places are read after the decision: whoever joins, and then fetches what comes after the last seq it has seen,
    misses nothing, whichever side it comes from.
    """
    choice = choices.decide(user_id, account_id)
    legacy = Access(provider=Told.SOCKETIO, url=settings.legacy_url, path=LEGACY_PATH)
    supabase = Access(provider=Told.SUPABASE, url=settings.supabase_url, public_key=settings.supabase_public_key)
    access, standby = (supabase, legacy) if choice.provider is Told.SUPABASE else (legacy, supabase)
    if not settings.signing_key or (access is supabase and not supabase.url):
        missing = "SUPABASE_URL" if settings.signing_key else "SUPABASE_JWT_SECRET or SUPABASE_JWT_SIGNING_KEY"
        raise RealtimeNotConfigured(f"The operator has to set {missing} for the gateway.")
    expires_at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=settings.session_ttl_s)
    with database.connection() as connection, connection.transaction():
        if user_id == CANARY_ID or not store.is_member(connection, account_id, user_id):
            raise NotFound(NO_SUCH_USER)
        places = store.list_conversations(connection, account_id, user_id, conversation_ids, LATEST)
        if conversation_ids is not None and len(places) < len(set(conversation_ids)):
            raise NotFound(NO_SUCH)
        store.note_told(connection, account_id, user_id, choice.provider.value, expires_at)
    return RealtimeSession(
        choice=choice,
        user_id=user_id,
        access=access,
        standby=standby if choice.has_standby and (standby is legacy or supabase.url) else None,
        token=mint_user_token(
            settings.signing_key, user_id, settings.session_ttl_s, settings.token_rules, told=choice.provider.value
        ),
        expires_at=expires_at,
        places=tuple(places),
    )
