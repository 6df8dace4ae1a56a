"""What the environment may say, and how it is told that it may not."""

import pytest

from gateway.settings import Settings
from realtime_bridge.shared.environment import ConfigurationError

GOOD = {"DATABASE_URL": "postgresql://postgres:hunter2@h/db", "REDIS_URL": "redis://:hunter2@h"}


def test_defaults_are_the_documented_ones() -> None:
    """100 requests and 60 messages a minute, 64 KB, port 8000, more than one worker."""
    settings = Settings.from_env(GOOD)
    assert (settings.rate_limit_per_min, settings.send_limit_per_min) == (100, 60)
    assert (settings.account_rate_limit_per_min, settings.account_send_limit_per_min) == (1_000, 600)
    assert (settings.max_body_bytes, settings.port) == (65_536, 8000)
    assert settings.workers >= 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", ""),
        ("DATABASE_URL", "mysql://postgres:hunter2@h/db"),
        ("REDIS_URL", ""),
        ("REDIS_URL", "memcached://:hunter2@h"),
        ("CROSSFADE_GATEWAY_PORT", "70000"),
        ("CROSSFADE_GATEWAY_PORT", "eighty"),
        ("CROSSFADE_GATEWAY_WORKERS", "0"),
        ("CROSSFADE_GATEWAY_THREADS", "0"),
        ("CROSSFADE_DB_POOL_SIZE", "0"),
        ("CROSSFADE_RATE_LIMIT_PER_MIN", "0"),
        ("CROSSFADE_SEND_LIMIT_PER_MIN", "-1"),
        ("CROSSFADE_ACCOUNT_RATE_LIMIT_PER_MIN", "0"),
        ("CROSSFADE_ACCOUNT_SEND_LIMIT_PER_MIN", "100001"),
        ("CROSSFADE_NEW_KEYS_PER_HOUR", "0"),
        ("CROSSFADE_FAILED_AUTH_PER_MIN", "x"),
        ("CROSSFADE_MAX_BODY_BYTES", "10"),
        ("CROSSFADE_TRUSTED_PROXIES", "99"),
        ("CROSSFADE_REQUEST_TIMEOUT_S", "0"),
        ("CROSSFADE_METRICS_PORT", "0"),
        ("CROSSFADE_PUBLIC_URL", "chat.example.com"),
        ("CROSSFADE_PUBLIC_URL", "https://chat.example.com/?a=b"),
        ("CROSSFADE_LOG_LEVEL", "LOUD"),
        ("CROSSFADE_LOG_FORMAT", "xml"),
    ],
)
def test_a_bad_variable_is_named_in_one_sentence(name: str, value: str) -> None:
    """The complaint names the variable and never repeats a password."""
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_env(GOOD | {name: value})
    text = str(caught.value)
    assert name in text
    assert "\n" not in text
    assert "hunter2" not in text


def test_clients_are_sent_where_the_operator_says() -> None:
    """To the gateway's own address where nobody else can be meant; else the variable has to be there."""
    stored = GOOD | {"CROSSFADE_STORAGE": "directory", "CROSSFADE_STORAGE_DIR": "/srv/files"}
    assert Settings.from_env(stored).public_url == "http://127.0.0.1:8000"
    public = stored | {"CROSSFADE_GATEWAY_HOST": "0.0.0.0"}
    with pytest.raises(ConfigurationError, match="CROSSFADE_PUBLIC_URL"):
        Settings.from_env(public)
    named = public | {"CROSSFADE_PUBLIC_URL": "https://chat.example.com/gateway/"}
    assert Settings.from_env(named).public_url == "https://chat.example.com/gateway"


def test_settings_do_not_show_their_passwords() -> None:
    """Printing the settings shows no URL that holds one."""
    assert "hunter2" not in repr(Settings.from_env(GOOD))
