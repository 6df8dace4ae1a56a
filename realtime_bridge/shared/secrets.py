"""Secrets at rest: AES-256-GCM under CROSSFADE_SECRETS_KEY. Used by whoever stores a secret it has to say again.

Several keys may be given, newest first: the first one seals, every one opens, so a key is rotated without a pause.
A sealed text is bound to its context (whose it is): copied to another row it does not open.
"""

import base64
import binascii
import hashlib
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from realtime_bridge.shared.environment import Environment

VARIABLE = "CROSSFADE_SECRETS_KEY"
KEY_BYTES = 32
NONCE_BYTES = 12  # NIST SP 800-38D §5.2.1.1; random is safe far beyond the number of secrets anybody has
KEY_ID_BYTES = 4
VERSION = b"\x01"
HOW = "a base64 text of 32 random bytes, such as `openssl rand -base64 32` prints"


class SecretsError(Exception):
    """A sealed text does not open: it was damaged, moved, or sealed under a key that is no longer given."""


class SecretBox:
    """Seals and opens short secrets."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._ciphers = {_key_id(key): AESGCM(key) for key in keys}
        self._newest = _key_id(keys[0])

    @classmethod
    def from_env(cls, env: Environment) -> "SecretBox | None":
        """Return the box, or None when no key is set."""
        keys = [_parse(word) for word in env.words("CROSSFADE_SECRETS_KEY")]
        if any(len(key) != KEY_BYTES for key in keys):
            return env.wrong(f"{VARIABLE} must be {HOW}; several are separated by commas, newest first.", None)
        return cls(keys) if keys else None

    def seal(self, secret: bytes, context: str) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._ciphers[self._newest].encrypt(nonce, secret, context.encode())
        return VERSION + self._newest + nonce + sealed

    def open(self, sealed: bytes, context: str) -> bytes:
        """Raises SecretsError."""
        start = len(VERSION)
        key_id = sealed[start : start + KEY_ID_BYTES]
        nonce = sealed[start + KEY_ID_BYTES : start + KEY_ID_BYTES + NONCE_BYTES]
        cipher = self._ciphers.get(key_id)
        if sealed[:start] != VERSION or cipher is None:
            raise SecretsError(f"A secret was sealed under a key that {VARIABLE} does not hold: add the old key there.")
        try:
            return cipher.decrypt(nonce, sealed[start + KEY_ID_BYTES + NONCE_BYTES :], context.encode())
        except (InvalidTag, ValueError):
            raise SecretsError("A sealed secret was damaged or belongs elsewhere.") from None


def new_key() -> str:
    """Return a key for CROSSFADE_SECRETS_KEY."""
    return base64.b64encode(os.urandom(KEY_BYTES)).decode()


def _parse(word: str) -> bytes:
    try:
        return base64.b64decode(word, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _key_id(key: bytes) -> bytes:
    """Names the key in what it sealed, and tells nothing about it."""
    return hashlib.sha256(b"crossfade secrets key" + key).digest()[:KEY_ID_BYTES]
