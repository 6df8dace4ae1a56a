"""Settings of the bridge, read once from the environment. Errors name the variable."""

from collections.abc import Mapping
from enum import StrEnum

from realtime_bridge.shared import variables as shared
from realtime_bridge.shared.environment import Environment, reading
from realtime_bridge.shared.secrets import SecretBox
from realtime_bridge.shared.signing_key import SigningKey
from realtime_bridge.shared.tokens import TokenRules
from realtime_bridge.shared.variables import Provider
from realtime_bridge.webhooks.contract.urls import UrlPolicy
from realtime_bridge.wuzapi.channels import allowed_servers

NO_KEY = "Set SUPABASE_JWT_SECRET or SUPABASE_JWT_SIGNING_KEY: one of them must be there."


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


class Settings:
    """What the variables say, each read once; none can be changed afterwards."""

    def __init__(self, env: Environment) -> None:
        self.database_url = shared.database_url(env)
        self.jwt_secret = shared.jwt_secret(env)
        self.signing_key = SigningKey.from_env(env) or env.wrong(NO_KEY, SigningKey.of_secret(""))
        self.token_rules = TokenRules.from_env(env)
        self.provider = shared.provider(env)
        self.transport = env.choice("CROSSFADE_SUPABASE_TRANSPORT", TransportName, default=TransportName.DATABASE)
        self.supabase_rate = _supabase_rate(env)
        self.supabase_url = shared.supabase_url(env)
        self.supabase_secret_key = shared.supabase_secret_key(env)
        self.redis_url = shared.redis_url(env) if env.optional("REDIS_URL") else None
        self.host = env.text("CROSSFADE_BRIDGE_HOST", default="127.0.0.1")
        self.port = env.integer("CROSSFADE_BRIDGE_PORT", default=8001, minimum=1, maximum=65_535)
        self.metrics_host = shared.metrics_host(env)
        self.metrics_port = env.port("CROSSFADE_BRIDGE_METRICS_PORT")
        self.cors_origins = shared.cors_origins(env)
        self.wuzapi_servers = allowed_servers(env)
        self.event_retention_days = env.integer("CROSSFADE_EVENT_RETENTION_DAYS", default=30, minimum=1, maximum=3_650)
        self.canary = env.choice("CROSSFADE_CANARY", CanaryMode, default=CanaryMode.ON)
        self.canary_rate_per_s = env.integer("CROSSFADE_CANARY_RATE_PER_S", default=10, minimum=1, maximum=100)
        self.idle_probe_s = env.integer("CROSSFADE_IDLE_PROBE_S", default=60, minimum=1, maximum=300)
        self.feed = env.choice("CROSSFADE_FEED", FeedMode, default=FeedMode.FULL)
        self.legacy_grace_s = env.integer("CROSSFADE_LEGACY_GRACE_S", default=60, minimum=5, maximum=86_400)
        self.flag_provider = shared.flag_provider(env)
        self.secrets = SecretBox.from_env(env)
        self.webhook_urls = UrlPolicy.from_env(env)
        self.webhook_timeout_s = env.number("CROSSFADE_WEBHOOK_TIMEOUT_S", default=15.0, minimum=1.0, maximum=60.0)
        self.listen_fds = shared.listen_fds(env)
        self.log_level = env.log_level()
        self.log_format = env.log_format()
        self._check_http_transport(env)
        self._check_cohort(env)

    def __setattr__(self, name: str, value: object) -> None:
        if hasattr(self, name):
            raise AttributeError(f"{name} is read once.")
        super().__setattr__(name, value)

    @classmethod
    def from_env(cls, variables: Mapping[str, str]) -> "Settings":
        """Raises ConfigurationError with a sentence for each variable that is wrong."""
        with reading(variables) as env:
            return cls(env)

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

    @property
    def has_seat(self) -> bool:
        """Whether the bridge listens at Supabase, to what it feeds there."""
        return self.knows_supabase and self.feeds_supabase

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
