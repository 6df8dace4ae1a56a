"""Bad configuration is one sentence that names the variable."""

import pytest

from realtime_bridge.settings import Settings, TransportName
from realtime_bridge.shared.environment import ConfigurationError
from realtime_bridge.shared.variables import Provider

GOOD = {"DATABASE_URL": "postgresql://postgres:hunter2@db/postgres", "SUPABASE_JWT_SECRET": "s" * 40}


def test_defaults_feed_both_sides_from_the_database() -> None:
    """With nothing but the database and the secret, both sides are fed and Supabase through the database."""
    settings = Settings.from_env(GOOD)
    assert settings.provider is Provider.DUAL
    assert settings.transport is TransportName.DATABASE
    assert settings.feeds_supabase
    assert settings.feeds_legacy


@pytest.mark.parametrize(("plan", "rate"), [("", None), ("free", 100), ("pro", 500), ("team", 2_500), ("40", 40)])
def test_a_plan_is_a_rate(plan: str, rate: float | None) -> None:
    """By its name or by its number; without one the rate is learned."""
    assert Settings.from_env(GOOD | {"CROSSFADE_SUPABASE_PLAN": plan}).supabase_rate == rate


@pytest.mark.parametrize(
    ("provider", "supabase", "legacy"),
    [("dual", True, True), ("rollout", True, True), ("socketio", False, True), ("supabase", True, False)],
)
def test_the_flag_decides_which_sinks_run(provider: str, supabase: bool, legacy: bool) -> None:
    """CHAT_REALTIME_PROVIDER is the switch."""
    settings = Settings.from_env(GOOD | {"CHAT_REALTIME_PROVIDER": provider})
    assert (settings.feeds_supabase, settings.feeds_legacy) == (supabase, legacy)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"DATABASE_URL": ""}, "DATABASE_URL"),
        ({"DATABASE_URL": "mysql://db/chat"}, "DATABASE_URL"),
        ({"SUPABASE_JWT_SECRET": " "}, "SUPABASE_JWT_SECRET"),
        ({"SUPABASE_JWT_SIGNING_KEY": "hunter2"}, "SUPABASE_JWT_SIGNING_KEY"),
        ({"SUPABASE_JWT_SIGNING_KEY": '"hunter2"'}, "SUPABASE_JWT_SIGNING_KEY"),
        ({"SUPABASE_JWT_SIGNING_KEY": '{"kty": "oct", "kid": "1", "k": "hunter2"}'}, "SUPABASE_JWT_SIGNING_KEY"),
        ({"SUPABASE_JWT_SIGNING_KEY": '{"kty": "EC", "crv": "P-256", "kid": "1", "d": "hunter2"}'}, "SIGNING_KEY"),
        ({"CHAT_REALTIME_PROVIDER": "carrier-pigeon"}, "CHAT_REALTIME_PROVIDER"),
        ({"CROSSFADE_FEED": "half"}, "CROSSFADE_FEED"),
        ({"CROSSFADE_BRIDGE_PORT": "eighty"}, "CROSSFADE_BRIDGE_PORT"),
        ({"CROSSFADE_BRIDGE_PORT": "70000"}, "CROSSFADE_BRIDGE_PORT"),
        ({"CROSSFADE_EVENT_RETENTION_DAYS": "0"}, "CROSSFADE_EVENT_RETENTION_DAYS"),
        ({"CROSSFADE_LOG_LEVEL": "verbose"}, "CROSSFADE_LOG_LEVEL"),
        ({"CROSSFADE_LOG_FORMAT": "yaml"}, "CROSSFADE_LOG_FORMAT"),
        ({"REDIS_URL": "localhost:6379"}, "REDIS_URL"),
        ({"CROSSFADE_SUPABASE_TRANSPORT": "http", "SUPABASE_SECRET_KEY": "k"}, "SUPABASE_URL"),
        ({"CROSSFADE_SUPABASE_PLAN": "gold"}, "CROSSFADE_SUPABASE_PLAN"),
        ({"CROSSFADE_SUPABASE_PLAN": "0"}, "CROSSFADE_SUPABASE_PLAN"),
        ({"CROSSFADE_SUPABASE_TRANSPORT": "http", "SUPABASE_URL": "https://x.supabase.co"}, "SUPABASE_SECRET_KEY"),
    ],
)
def test_a_complaint_names_the_variable_and_hides_its_secret(changes: dict[str, str], named: str) -> None:
    """One sentence, the right name, and never a password."""
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_env(GOOD | changes)
    assert named in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CROSSFADE_SECRETS_KEY", "hunter2"),
        ("CROSSFADE_WEBHOOK_ALLOWED_NETWORKS", "10.0.0.1/8"),
        ("CROSSFADE_WEBHOOK_ALLOWED_NETWORKS", "intranet"),
        ("CROSSFADE_WEBHOOK_PLAIN_HTTP", "maybe"),
        ("CROSSFADE_WEBHOOK_TIMEOUT_S", "0"),
    ],
)
def test_a_bad_webhook_variable_is_named(name: str, value: str) -> None:
    """By bridge and gateway alike, which read them with the same code."""
    with pytest.raises(ConfigurationError, match=name) as caught:
        Settings.from_env(GOOD | {name: value})
    assert "hunter2" not in str(caught.value)


def test_webhooks_go_to_public_addresses_over_tls_by_default() -> None:
    """Nothing private and nothing plain, unless an operator says so."""
    settings = Settings.from_env(GOOD)
    assert settings.secrets is None
    assert not settings.webhook_urls.plain_http
    assert settings.webhook_urls.guard.allowed == ()
