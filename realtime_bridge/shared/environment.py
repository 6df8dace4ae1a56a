"""Environment of a process, read variable by variable.

For each `Settings.from_env`; never reads `os.environ` itself.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlsplit

Word = TypeVar("Word", bound=StrEnum)
T = TypeVar("T")


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
        raw = self.text(name, default=str(default))
        try:
            value = int(raw)
        except ValueError:
            return self.wrong(f"{name} must be a whole number, not {raw!r}.", default)
        if not minimum <= value <= maximum:
            return self.wrong(f"{name} must be between {minimum} and {maximum}, not {value}.", default)
        return value

    def port(self, name: str) -> int | None:
        """Return a TCP port; None when it is not set."""
        return None if self.optional(name) is None else self.integer(name, default=0, minimum=1, maximum=65_535)

    def number(self, name: str, *, default: float, minimum: float, maximum: float) -> float:
        raw = self.text(name, default=str(default))
        try:
            value = float(raw)
        except ValueError:
            return self.wrong(f"{name} must be a number, not {raw!r}.", default)
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
