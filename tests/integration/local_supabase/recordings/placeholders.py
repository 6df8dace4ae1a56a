"""Fills the placeholders of what is sent, and recognises them in what is received."""

import itertools
import re
import time
import uuid
from typing import Any

import jwt

from tests.integration.local_supabase.serving import SECRET

_TOKEN = re.compile(r"<jwt:[^>]*>")
_PLACEHOLDER = re.compile(r"<(jwt|uuid|epoch_ms|repeat):([^>]*)>")
_RECEIVED = re.compile(r"<(?:uuid:\d+|phx_ref:\d+|int:\d+|ts|secs|n|request_id|repeat:[^>]*)>")
_SHAPES = {
    "uuid": r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "phx_ref": r"[A-Za-z0-9_-]{16}",
    "int": r"\d+",
    "ts": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)",
    "secs": r"\d+",
    "n": r"\d+",
    "request_id": r"\S+",
}
_serial = itertools.count()

Bindings = dict[str, str]


class Values:
    """The values of one replay: equal placeholders get equal values."""

    def __init__(self) -> None:
        self.bindings: Bindings = {"<uuid:1>": str(uuid.uuid4()), "<uuid:2>": str(uuid.uuid4())}
        self.moments_ms = {"scenario start": _now_ms()}
        self._tokens: dict[str, str] = {}
        self._messages = 0

    def mark_sql(self, *, transaction: bool) -> None:
        """Remember the moment before a statement, for the placeholders that name it."""
        self._messages += 1
        self.moments_ms[f"before message {self._messages}"] = _now_ms()
        if transaction:
            self.moments_ms["before the transaction"] = _now_ms()

    def fill(self, value: Any) -> Any:
        """Fill every placeholder in a value that is about to be sent."""
        if isinstance(value, str):
            whole = _PLACEHOLDER.fullmatch(value)
            if whole is not None and whole[1] == "epoch_ms":
                return self._moment(whole[2])
            return self.fill_text(value)
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        if isinstance(value, dict):
            return {self.fill_text(key): self.fill(item) for key, item in value.items()}
        return value

    def fill_text(self, text: str) -> str:
        text = _TOKEN.sub(lambda found: self.token(found[0]), text)
        return _PLACEHOLDER.sub(self._fill_one, text)

    def _fill_one(self, found: re.Match[str]) -> str:
        if found[1] == "repeat":
            letter, _, count = found[2].partition("*")
            return letter * int(count)
        if found[1] == "epoch_ms":
            return str(self._moment(found[2]))
        return self.bindings.setdefault(found[0], str(uuid.uuid4()))

    def _moment(self, name: str) -> int:
        return _now_ms() + 3_600_000 if name == "in one hour" else self.moments_ms[name]

    def token(self, placeholder: str) -> str:
        """The token of a placeholder, made on first use."""
        if placeholder not in self._tokens:
            self._tokens[placeholder] = self._mint(placeholder[5:-1])
        return self._tokens[placeholder]

    def _mint(self, text: str) -> str:
        role, *options = text.split(",")
        if role == "alg none":
            return jwt.encode({"role": "anon", "exp": int(time.time()) + 3600}, "", algorithm="none")
        now = int(time.time())
        claims: dict[str, Any] = {"role": role, "iat": now, "exp": now + 3600, "jti": str(next(_serial))}
        secret = SECRET
        for option in options:
            if option.startswith("sub=uuid:"):
                claims["sub"] = self.bindings[f"<{option[4:]}>"]
            elif option.startswith("sub="):
                claims["sub"] = option[4:]
            elif option.startswith("exp="):
                claims["exp"] = now + int(option[4:-1])
            elif option == "no exp claim":
                del claims["exp"]
            elif option == "exp is a string":
                claims["exp"] = str(claims["exp"])
            elif option == "no role claim":
                del claims["role"]
            elif option == "wrong secret":
                secret = "another-secret-of-at-least-thirty-two-bytes"
        return jwt.encode(claims, secret, algorithm="HS256")


def matches(expected: Any, actual: Any, bindings: Bindings) -> bool:
    """Whether a received value is the expected one; new placeholders are bound as a side effect."""
    if isinstance(expected, str):
        return _matches_text(expected, actual, bindings)
    if isinstance(expected, dict):
        if not isinstance(actual, dict) or len(expected) != len(actual):
            return False
        return all(_has_item(key, value, actual, bindings) for key, value in expected.items())
    if isinstance(expected, list):
        if not isinstance(actual, list) or len(expected) != len(actual):
            return False
        return all(matches(one, other, bindings) for one, other in zip(expected, actual, strict=True))
    return (type(expected) is type(actual) and bool(expected == actual)) or _same_number(expected, actual)


def _same_number(expected: Any, actual: Any) -> bool:
    numbers = isinstance(expected, int | float) and isinstance(actual, int | float)
    return numbers and not isinstance(expected, bool) and not isinstance(actual, bool) and expected == actual


def _has_item(key: str, value: Any, actual: dict[str, Any], bindings: Bindings) -> bool:
    if key == "ids" and isinstance(value, list):
        return _same_multiset(value, actual.get(key), bindings)
    if _RECEIVED.search(key) is None:
        return key in actual and matches(value, actual[key], bindings)
    for name, item in actual.items():
        trial = dict(bindings)
        if matches(key, name, trial) and matches(value, item, trial):
            bindings.update(trial)
            return True
    return False


def _same_multiset(expected: list[Any], actual: Any, bindings: Bindings) -> bool:
    if not isinstance(actual, list) or len(expected) != len(actual):
        return False
    rest = list(actual)
    for item in sorted(expected, key=lambda item: item not in bindings):
        found = next((other for other in rest if matches(item, other, bindings)), None)
        if found is None:
            return False
        rest.remove(found)
    return True


def _matches_text(expected: str, actual: Any, bindings: Bindings) -> bool:  # noqa: PLR0911 - one case after another
    if isinstance(actual, int) and not isinstance(actual, bool) and expected.startswith("<int:"):
        return bindings.setdefault(expected, str(actual)) == str(actual)
    if not isinstance(actual, str):
        return False
    if expected.startswith("UnknownErrorOnChannel: "):
        return actual.startswith("UnknownErrorOnChannel: ")  # what follows quotes Elixir
    if "<" not in expected:
        return expected == actual
    pattern, names, position = "", [], 0
    for found in _RECEIVED.finditer(expected):
        pattern += re.escape(expected[position : found.start()]) + f"({_shape(found[0], bindings)})"
        names.append(found[0])
        position = found.end()
    match = re.fullmatch(pattern + re.escape(expected[position:]), actual, re.DOTALL)
    if match is None:
        return False
    for name, text in zip(names, match.groups(), strict=True):
        lasting = ":" in name and not name.startswith("<repeat")
        if lasting and bindings.setdefault(name, text) != text:
            return False
    return True


def _shape(placeholder: str, bindings: Bindings) -> str:
    if placeholder in bindings:
        return re.escape(bindings[placeholder])
    kind, _, rest = placeholder[1:-1].partition(":")
    if kind == "repeat":
        letter, _, count = rest.partition("*")
        return re.escape(letter * int(count))
    return _SHAPES[kind]


def _now_ms() -> int:
    return int(time.time() * 1000)
