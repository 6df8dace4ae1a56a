"""The legacy side of a bridge, put together from its settings."""

from realtime_bridge.legacy.dialect import Dialect
from realtime_bridge.legacy.socketio.dialect import SocketIo
from realtime_bridge.legacy.socketio.server import LegacyServer
from realtime_bridge.settings import Settings
from realtime_bridge.shared import jwks
from realtime_bridge.shared.database import Pool
from realtime_bridge.shared.jwks import ProjectKeys
from realtime_bridge.shared.tokens import TokenVerifier

DIALECTS: tuple[Dialect, ...] = (SocketIo(),)
"""What old clients may speak, each at a path of its own; by the first one the server is known."""


def create_legacy(settings: Settings, pool: Pool, name: str) -> LegacyServer:
    keys = ProjectKeys(
        f"{settings.supabase_url}{jwks.PATH}" if settings.supabase_url else None,
        own=[settings.signing_key.public] if settings.signing_key.public else [],
    )
    return LegacyServer(
        pool,
        name,
        verifier=TokenVerifier(settings.jwt_secret, keys, settings.token_rules),
        redis_url=settings.redis_url,
        cors_origins=settings.cors_origins,
        dialects=DIALECTS,
    )
