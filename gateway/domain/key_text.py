"""The text form of an API key: `cf_<env>_<id>_<secret><crc>`. Pure; used by the gate and by `crossfade keys`."""

import hashlib
import re
import secrets
import string
import zlib
from dataclasses import dataclass, field

from realtime_bridge.shared.variables import KEY_ENV

PREFIX = "cf"  # secret scanners and our own log redaction look for it
ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase  # base62: one double click selects a key
ID_CHARS = 12  # 71 bits: unique without asking
SECRET_CHARS = 30  # 178 bits: a plain SHA-256 is enough, nothing to slow down
CRC_CHARS = 6  # 62**6 > 2**32
MAX_KEY_CHARS = 256  # bounds the work on garbage; lengths are otherwise not fixed, so that they may grow
_FORM = re.compile(rf"{PREFIX}_(?P<env>{KEY_ENV.pattern})_(?P<id>[0-9A-Za-z]+)_[0-9A-Za-z]{{{CRC_CHARS + 1},}}")


class MalformedKeyError(ValueError):
    """Not a key of ours, or one with a typo: decided without asking the database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyText:
    """A key as its owner holds it. Never log `text`; `prefix` is what may be shown."""

    env: str
    id: str
    text: str = field(repr=False)

    @property
    def prefix(self) -> str:
        return f"{PREFIX}_{self.env}_{self.id}"

    @property
    def sha256(self) -> bytes:
        """Of the whole text, so nothing in it can be swapped."""
        return hashlib.sha256(self.text.encode()).digest()


def mint(env: str) -> KeyText:
    """Return a new key; its text exists nowhere else."""
    if not KEY_ENV.fullmatch(env):
        raise ValueError("env must be 1 to 16 lower-case letters")
    key_id, secret = _random(ID_CHARS), _random(SECRET_CHARS)
    start = f"{PREFIX}_{env}_{key_id}_{secret}"
    return KeyText(env=env, id=key_id, text=start + checksum(start))


def parse(text: str) -> KeyText:
    """Take a key apart, refusing typos by its checksum. Raises MalformedKeyError."""
    form = _FORM.fullmatch(text) if len(text) <= MAX_KEY_CHARS else None
    if form is None or checksum(text[:-CRC_CHARS]) != text[-CRC_CHARS:]:
        raise MalformedKeyError
    return KeyText(env=form["env"], id=form["id"], text=text)


def checksum(text: str) -> str:
    """CRC-32 in base62, six characters, as in GitHub's token format."""
    value, digits = zlib.crc32(text.encode()), ""
    for _ in range(CRC_CHARS):
        value, digit = divmod(value, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))
