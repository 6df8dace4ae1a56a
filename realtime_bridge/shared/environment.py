"""Environment of a process, read variable by variable.

For each `Settings.from_env`; never reads `os.environ` itself.
"""

import difflib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlsplit

PREFIX = "CROSSFADE_"
NAMES = """
    ACCOUNT_RATE_LIMIT_PER_MIN ACCOUNT_SEND_LIMIT_PER_MIN BRIDGE_HOST BRIDGE_METRICS_PORT BRIDGE_PORT CANARY
    CANARY_RATE_PER_S CORS_ORIGINS DATA_DIR DB_POOL_SIZE ENV EVENT_RETENTION_DAYS FAILED_AUTH_PER_MIN FEED
    FLAG_PROVIDER GATEWAY_HOST GATEWAY_PORT GATEWAY_THREADS GATEWAY_WORKERS IDLE_PROBE_S JWT_AUDIENCE JWT_ISSUER
    LEGACY_GRACE_S LEGACY_URL LISTEN_FDS LISTEN_SECRET LOG_FORMAT LOG_LEVEL MAX_BODY_BYTES MAX_WAITERS
    METRICS_HOST METRICS_PORT NEW_KEYS_PER_HOUR OPERATOR_KEY PUBLIC_URL RATE_LIMIT_PER_MIN REQUEST_TIMEOUT_S
    SECRETS_KEY SEND_LIMIT_PER_MIN SESSION_TTL_S STORAGE STORAGE_BUCKET STORAGE_DIR SUPABASE_PLAN
    SUPABASE_TRANSPORT TRUSTED_PROXIES WEBHOOK_ALLOWED_NETWORKS WEBHOOK_PLAIN_HTTP WEBHOOK_TIMEOUT_S WUZAPI_URLS
""".split()  # noqa: SIM905 - fifty lines of one word say no more
"""All that begin with the prefix, whichever process reads them."""
ALIKE = 0.7  # of one, as difflib counts: what is farther off is somebody else's, or of another version
Word = TypeVar("Word", bound=StrEnum)
T = TypeVar("T")
N = TypeVar("N", int, float)


class ConfigurationError(ValueError):
    """Variables are missing or unusable; the message is a line for each, one sentence that names it."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Typed reading of a mapping; every complaint names the variable and says what it wants."""

    variables: Mapping[str, str]
    complaints: list[str] | None = None

    def wrong(self, sentence: str, instead: T) -> T:
        """Complain; where complaints are gathered, reading goes on with `instead`."""
        if self.complaints is None:
            raise ConfigurationError(sentence)
        self.complaints.append(sentence)
        return instead

    def text(self, *names: str, default: str | None = None) -> str:
        """Return the first of `names` that is set (some variables have two accepted names)."""
        for name in names:
            if value := self.variables.get(name, "").strip():
                return value
        if default is None:
            return self.wrong(f"Set {' or '.join(names)}: it has no default.", "")
        return default

    def optional(self, *names: str) -> str | None:
        return self.text(*names, default="") or None

    def words(self, name: str) -> tuple[str, ...]:
        """Return a list that is written with commas, spaces or both."""
        return tuple(self.text(name, default="").replace(",", " ").split())

    def integer(self, name: str, *, default: int, minimum: int, maximum: int) -> int:
        return self._within(name, int, "a whole number", default, minimum, maximum)

    def port(self, name: str) -> int | None:
        """Return a TCP port; None when it is not set."""
        return None if self.optional(name) is None else self.integer(name, default=0, minimum=1, maximum=65_535)

    def number(self, name: str, *, default: float, minimum: float, maximum: float) -> float:
        return self._within(name, float, "a number", default, minimum, maximum)

    def _within(self, name: str, kind: type[N], wanted: str, default: N, minimum: N, maximum: N) -> N:
        raw = self.text(name, default=str(default))
        try:
            value = kind(raw)
        except ValueError:
            return self.wrong(f"{name} must be {wanted}, not {raw!r}.", default)
        if not minimum <= value <= maximum:
            return self.wrong(f"{name} must be between {minimum} and {maximum}, not {value}.", default)
        return value

    def choice(self, name: str, words: type[Word], *, default: Word) -> Word:
        raw = self.text(name, default=default.value)
        try:
            return words(raw)
        except ValueError:
            return self.wrong(f"{name} must be one of {', '.join(words)}, not {raw!r}.", default)

    def log_level(self) -> str:
        level = self.text("CROSSFADE_LOG_LEVEL", default="INFO").upper()
        if level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            return self.wrong(f"CROSSFADE_LOG_LEVEL must be DEBUG, INFO, WARNING or ERROR, not {level!r}.", "INFO")
        return level

    def log_format(self) -> str:
        fmt = self.text("CROSSFADE_LOG_FORMAT", default="json")
        if fmt not in ("json", "console"):
            return self.wrong(f"CROSSFADE_LOG_FORMAT must be json or console, not {fmt!r}.", "json")
        return fmt

    def url(self, *names: str, schemes: tuple[str, ...], default: str | None = None) -> str:
        """Return a URL of one of `schemes`. The complaint never repeats the value, which may hold a password."""
        value = self.text(*names, default=default)
        if value and urlsplit(value).scheme not in schemes:
            starts = " or ".join(f"{scheme}:" for scheme in schemes)
            return self.wrong(f"{names[0]} must be a URL that starts with {starts}.", "")
        return value


@contextmanager
def reading(variables: Mapping[str, str]) -> Iterator[Environment]:
    """Gather complaints, and raise them at the end as one: who mends a variable need not start again for the next."""
    env = Environment(variables, complaints=[])
    yield env
    if env.complaints:
        raise ConfigurationError("\n".join(dict.fromkeys(env.complaints)))


def misspelt(variables: Mapping[str, str]) -> Iterator[str]:
    """Say of each variable that nobody reads, and that is almost one of ours, which one that is."""
    for name in sorted(variables):
        rest = name.removeprefix(PREFIX)
        if rest != name and rest not in NAMES and (meant := difflib.get_close_matches(rest, NAMES, 1, ALIKE)):
            yield f"{name} is no variable of Crossfade, and changes nothing: did you mean {PREFIX}{meant[0]}?"
