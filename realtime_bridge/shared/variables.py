"""Variables that several processes read, each with its one parser.

A process's `Settings.from_env` takes them from here; what only one process reads stays with its settings.
"""

import re
from enum import StrEnum

from realtime_bridge.shared.environment import Environment


class Told(StrEnum):
    """The provider a client is told to use."""

    SOCKETIO = "socketio"
    SUPABASE = "supabase"


ORIGIN = re.compile(r"https?://[^/?#\s*@]+")
FD = re.compile(r"[0-9]{1,5}:[0-9]{1,5}")
KEY_ENV = re.compile(r"[a-z]{1,16}")
SHORTEST_SECRET_BYTES = 32  # HS256 asks for it: RFC 7518, section 3.2


class Provider(StrEnum):
    """Which side is fed: CHAT_REALTIME_PROVIDER."""

    SOCKETIO = "socketio"
    SUPABASE = "supabase"
    DUAL = "dual"
    ROLLOUT = "rollout"
    """As the dial says (`crossfade rollout`)."""


def database_url(env: Environment) -> str:
    return env.url("DATABASE_URL", schemes=("postgresql", "postgres"))


def redis_url(env: Environment) -> str:
    return env.url("REDIS_URL", schemes=("redis", "rediss", "unix"))


def supabase_url(env: Environment) -> str | None:
    """Return the project's address without a slash at its end; paths are put behind it."""
    if env.optional("SUPABASE_URL") is None:
        return None
    return env.url("SUPABASE_URL", schemes=("http", "https")).rstrip("/")


def supabase_secret_key(env: Environment) -> str | None:
    return env.optional("SUPABASE_SECRET_KEY", "SUPABASE_SERVICE_ROLE_KEY")


def supabase_public_key(env: Environment) -> str | None:
    return env.optional("SUPABASE_PUBLISHABLE_KEY", "SUPABASE_ANON_KEY")


def jwt_secret(env: Environment) -> str | None:
    secret = env.optional("SUPABASE_JWT_SECRET")
    if secret is not None and len(secret.encode()) < SHORTEST_SECRET_BYTES:
        return env.wrong(f"SUPABASE_JWT_SECRET must have at least {SHORTEST_SECRET_BYTES} bytes.", secret)
    return secret


def provider(env: Environment) -> Provider:
    return env.choice("CHAT_REALTIME_PROVIDER", Provider, default=Provider.DUAL)


def flag_provider(env: Environment) -> str | None:
    return env.optional("CROSSFADE_FLAG_PROVIDER")


def cors_origins(env: Environment) -> tuple[str, ...]:
    """Return whose pages may call; a page that may do everything as its user is named, so there is no `*`."""
    origins = env.words("CROSSFADE_CORS_ORIGINS")
    if any(not ORIGIN.fullmatch(origin) for origin in origins):
        return env.wrong("CROSSFADE_CORS_ORIGINS must be origins such as https://app.example.com, with commas.", ())
    return origins


def listen_fds(env: Environment) -> dict[int, int]:
    """Return by port the descriptors of sockets that whoever started this process listens with for it."""
    words = env.words("CROSSFADE_LISTEN_FDS")
    if not all(FD.fullmatch(word) for word in words):
        return env.wrong("CROSSFADE_LISTEN_FDS must be pairs such as 8000:3, a port and a descriptor.", {})
    return {int(port): int(fd) for port, _, fd in (word.partition(":") for word in words)}


def metrics_host(env: Environment) -> str:
    """Return the address of the ports for figures: an operator's, so of this machine unless it is said."""
    return env.text("CROSSFADE_METRICS_HOST", default="127.0.0.1")


def key_env(env: Environment) -> str:
    """Return the word in `cf_<env>_…` of new keys."""
    word = env.text("CROSSFADE_ENV", default="live")
    if not KEY_ENV.fullmatch(word):
        return env.wrong("CROSSFADE_ENV must be 1 to 16 lower-case letters.", "live")
    return word
