"""Settings of the bridge process, read once from the environment; errors name the variable."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from realtime_bridge.environment import ConfigurationError, Environment


class Provider(StrEnum):
    """Which side is fed: CHAT_REALTIME_PROVIDER."""

    SOCKETIO = "socketio"
    SUPABASE = "supabase"
    DUAL = "dual"


class TransportName(StrEnum):
    """How Supabase is reached: CROSSFADE_SUPABASE_TRANSPORT."""

    DATABASE = "database"
    HTTP = "http"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    database_url: str = field(repr=False)
    jwt_secret: str = field(repr=False)
    provider: Provider
    transport: TransportName
    supabase_url: str | None
    supabase_secret_key: str | None
    redis_url: str | None
    host: str
    port: int
    cors_origins: tuple[str, ...]
    event_retention_days: int
    log_level: str
    log_format: str

    @classmethod
    def from_env(cls, variables: Mapping[str, str]) -> "Settings":
        """Raises ConfigurationError with one sentence that names the variable."""
        env = Environment(variables)
        settings = cls(
            database_url=env.url("DATABASE_URL", schemes=("postgresql", "postgres")),
            jwt_secret=env.text("SUPABASE_JWT_SECRET"),
            provider=env.choice("CHAT_REALTIME_PROVIDER", Provider, default=Provider.DUAL),
            transport=env.choice("CROSSFADE_SUPABASE_TRANSPORT", TransportName, default=TransportName.DATABASE),
            supabase_url=env.optional("SUPABASE_URL"),
            supabase_secret_key=env.optional("SUPABASE_SECRET_KEY", "SUPABASE_SERVICE_ROLE_KEY"),
            redis_url=env.optional("REDIS_URL"),
            host=env.text("CROSSFADE_BRIDGE_HOST", default="127.0.0.1"),
            port=env.integer("CROSSFADE_BRIDGE_PORT", default=8001, minimum=1, maximum=65_535),
            cors_origins=tuple(env.text("CROSSFADE_CORS_ORIGINS", default="").replace(",", " ").split()),
            event_retention_days=env.integer("CROSSFADE_EVENT_RETENTION_DAYS", default=30, minimum=1, maximum=3_650),
            log_level=env.log_level(),
            log_format=env.log_format(),
        )
        settings._check_http_transport()
        return settings

    @property
    def feeds_supabase(self) -> bool:
        return self.provider is not Provider.SOCKETIO

    @property
    def feeds_legacy(self) -> bool:
        return self.provider is not Provider.SUPABASE

    def _check_http_transport(self) -> None:
        if not self.feeds_supabase or self.transport is TransportName.DATABASE:
            return
        for name, value in (("SUPABASE_URL", self.supabase_url), ("SUPABASE_SECRET_KEY", self.supabase_secret_key)):
            if not value:
                raise ConfigurationError(f"Set {name}: CROSSFADE_SUPABASE_TRANSPORT=http needs it.")
