"""Seal secrets that must be read again (tokens, signing keys) before they are stored. Used by gateway and bridge; pure.

AES-256-GCM. `purpose` is authenticated with the text (say `channel:7:token`), so a sealed value that is copied to
another row or column does not open there. CROSSFADE_SECRETS_KEY holds one key or several: the first seals, all of them
open. A key is rotated by putting a new one in front, and dropped when nothing is sealed with it any more.
"""

import base64
import binascii
import hashlib
import os
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from realtime_bridge.environment import ConfigurationError, Environment

VARIABLE = "CROSSFADE_SECRETS_KEY"
KEY_BYTES = 32
NONCE_BYTES = 12  # NIST SP 800-38D §8.2; random ones are good for 2^32 values under one key
_VERSION = b"\x01"
_KEY_ID_BYTES = 4  # which key sealed it: a hint that saves tries, not a secret
_HEADER_BYTES = len(_VERSION) + _KEY_ID_BYTES + NONCE_BYTES
_WISH = f"keys of {KEY_BYTES} random bytes in base64, separated by commas (make one: openssl rand -base64 {KEY_BYTES})"


class SecretUnreadable(Exception):
    """Sealed with a key that we do not have, for another purpose, or damaged; which one of them is not told."""


class SecretBox:
    """`seal` and `open` with the keys of CROSSFADE_SECRETS_KEY."""

    def __init__(self, *keys: bytes) -> None:
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise ConfigurationError(f"{VARIABLE} must hold {_WISH}.")
        self._ciphers = {_key_id(key): AESGCM(key) for key in reversed(keys)}
        self._first = _key_id(keys[0])

    @classmethod
    def from_env(cls, env: Environment) -> Self | None:
        """Return None when the variable is not set; raises ConfigurationError, which never repeats the value."""
        text = env.optional("CROSSFADE_SECRETS_KEY")
        return cls(*(_decode(word) for word in text.split(","))) if text else None

    def seal(self, text: str, purpose: str) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._ciphers[self._first].encrypt(nonce, text.encode(), purpose.encode())
        return _VERSION + self._first + nonce + sealed

    def open(self, sealed: bytes, purpose: str) -> str:
        """Return what was sealed for `purpose`; raises SecretUnreadable."""
        cipher = self._ciphers.get(sealed[len(_VERSION) : len(_VERSION) + _KEY_ID_BYTES])
        if cipher is None or sealed[: len(_VERSION)] != _VERSION:
            raise SecretUnreadable(f"A stored secret was not sealed with any key of {VARIABLE}.")
        nonce = sealed[_HEADER_BYTES - NONCE_BYTES : _HEADER_BYTES]
        try:
            return cipher.decrypt(nonce, sealed[_HEADER_BYTES:], purpose.encode()).decode()
        except (InvalidTag, ValueError):
            raise SecretUnreadable(f"A stored secret cannot be opened with {VARIABLE}.") from None

    def is_current(self, sealed: bytes) -> bool:
        """Whether the first key sealed it; if not, sealing it anew lets an old key be dropped."""
        return sealed[: len(_VERSION) + _KEY_ID_BYTES] == _VERSION + self._first


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"crossfade secrets key id" + key).digest()[:_KEY_ID_BYTES]


def _decode(word: str) -> bytes:
    try:
        return base64.b64decode(word.strip(), validate=True)
    except binascii.Error:
        raise ConfigurationError(f"{VARIABLE} must hold {_WISH}.") from None
