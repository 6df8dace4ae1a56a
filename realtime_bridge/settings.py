"""Settings of the bridge, read once from the environment. Errors name the variable."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from realtime_bridge.shared import variables as shared
from realtime_bridge.shared.environment import Environment, reading
from realtime_bridge.shared.secrets import SecretBox
from realtime_bridge.shared.signing_key import SigningKey
from realtime_bridge.shared.tokens import TokenRules
from realtime_bridge.shared.variables import Provider
from realtime_bridge.webhooks.contract.urls import UrlPolicy
from realtime_bridge.wuzapi.channels import allowed_servers


class TransportName(StrEnum):
    """How Supabase is reached: CROSSFADE_SUPABASE_TRANSPORT."""

    DATABASE = "database"
    HTTP = "http"


PLAN_EVENTS_PER_S = {"free": 100.0, "pro": 500.0, "team": 2_500.0}  # Realtime events a second of each Supabase plan


class FeedMode(StrEnum):
    """What Supabase is fed during a ramp: CROSSFADE_FEED."""

    FULL = "full"
    COHORT = "cohort"
    """Only conversations with a member who is told Supabase: fewer messages to pay for."""


class CanaryMode(StrEnum):
    """Whether the bridge measures both sides with messages of its own: CROSSFADE_CANARY."""

    ON = "on"
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    database_url: str = field(repr=False)
    jwt_secret: str | None = field(repr=False)
    signing_key: SigningKey
    token_rules: TokenRules
    provider: Provider
    transport: TransportName
    supabase_rate: float | None
    supabase_url: str | None
    supabase_secret_key: str | None = field(repr=False)
    redis_url: str | None = field(repr=False)
    host: str
    port: int
    metrics_host: str
    metrics_port: int | None
    cors_origins: tuple[str, ...]
    wuzapi_servers: frozenset[str]
    event_retention_days: int
    canary: CanaryMode
    canary_rate_per_s: int
    idle_probe_s: int
    feed: FeedMode
    flag_provider: str | None
    legacy_grace_s: int
    secrets: SecretBox | None
    webhook_urls: UrlPolicy
    webhook_timeout_s: float
    listen_fds: Mapping[int, int]
    log_level: str
    log_format: str

    @classmethod
    def from_env(cls, variables: Mapping[str, str]) -> "Settings":
        """Raises ConfigurationError with a sentence for each variable that is wrong."""
        with reading(variables) as env:
            return cls.read(env)

    @classmethod
    def read(cls, env: Environment) -> "Settings":
        settings = cls(
            database_url=shared.database_url(env),
            jwt_secret=shared.jwt_secret(env),
            signing_key=_signing_key(env),
            token_rules=TokenRules.from_env(env),
            provider=shared.provider(env),
            transport=env.choice("CROSSFADE_SUPABASE_TRANSPORT", TransportName, default=TransportName.DATABASE),
            supabase_rate=_supabase_rate(env),
            supabase_url=shared.supabase_url(env),
            supabase_secret_key=shared.supabase_secret_key(env),
            redis_url=shared.redis_url(env) if env.optional("REDIS_URL") else None,
            host=env.text("CROSSFADE_BRIDGE_HOST", default="127.0.0.1"),
            port=env.integer("CROSSFADE_BRIDGE_PORT", default=8001, minimum=1, maximum=65_535),
            metrics_host=shared.metrics_host(env),
            metrics_port=env.port("CROSSFADE_BRIDGE_METRICS_PORT"),
            cors_origins=shared.cors_origins(env),
            wuzapi_servers=allowed_servers(env),
            event_retention_days=env.integer("CROSSFADE_EVENT_RETENTION_DAYS", default=30, minimum=1, maximum=3_650),
            canary=env.choice("CROSSFADE_CANARY", CanaryMode, default=CanaryMode.ON),
            canary_rate_per_s=env.integer("CROSSFADE_CANARY_RATE_PER_S", default=10, minimum=1, maximum=100),
            idle_probe_s=env.integer("CROSSFADE_IDLE_PROBE_S", default=60, minimum=1, maximum=300),
            feed=env.choice("CROSSFADE_FEED", FeedMode, default=FeedMode.FULL),
            legacy_grace_s=env.integer("CROSSFADE_LEGACY_GRACE_S", default=60, minimum=5, maximum=86_400),
            flag_provider=shared.flag_provider(env),
            secrets=SecretBox.from_env(env),
            webhook_urls=UrlPolicy.from_env(env),
            webhook_timeout_s=env.number("CROSSFADE_WEBHOOK_TIMEOUT_S", default=15.0, minimum=1.0, maximum=60.0),
            listen_fds=shared.listen_fds(env),
            log_level=env.log_level(),
            log_format=env.log_format(),
        )
        settings._check_http_transport(env)
        settings._check_cohort(env)
        return settings

    @property
    def feeds_supabase(self) -> bool:
        return self.provider is not Provider.SOCKETIO

    @property
    def feeds_legacy(self) -> bool:
        return self.provider is not Provider.SUPABASE

    @property
    def knows_supabase(self) -> bool:
        """Whether the bridge can be a client of Supabase, or use HTTP."""
        return bool(self.supabase_url and self.supabase_secret_key)

    def _check_cohort(self, env: Environment) -> None:
        if self.feed is FeedMode.COHORT and self.flag_provider:
            env.wrong(
                "CROSSFADE_FEED=cohort knows only our own buckets: unset CROSSFADE_FLAG_PROVIDER, or feed in full.",
                None,
            )

    def _check_http_transport(self, env: Environment) -> None:
        if not self.feeds_supabase or self.transport is TransportName.DATABASE:
            return
        for name, value in (("SUPABASE_URL", self.supabase_url), ("SUPABASE_SECRET_KEY", self.supabase_secret_key)):
            if not value:
                env.wrong(f"Set {name}: CROSSFADE_SUPABASE_TRANSPORT=http needs it.", None)


def _supabase_rate(env: Environment) -> float | None:
    """Return how many events a second the project takes; None: as Supabase's own answers say."""
    plan = env.optional("CROSSFADE_SUPABASE_PLAN")
    if plan is None or plan in PLAN_EVENTS_PER_S:
        return PLAN_EVENTS_PER_S.get(plan or "")
    if not (plan.isascii() and plan.isdecimal() and int(plan)):
        words = ", ".join(PLAN_EVENTS_PER_S)
        sentence = f"CROSSFADE_SUPABASE_PLAN must be {words}, or the project's limit of events a second, not {plan!r}."
        return env.wrong(sentence, None)
    return float(plan)


def _signing_key(env: Environment) -> SigningKey:
    none = "Set SUPABASE_JWT_SECRET or SUPABASE_JWT_SIGNING_KEY: one of them must be there."
    return SigningKey.from_env(env) or env.wrong(none, SigningKey.of_secret(""))
