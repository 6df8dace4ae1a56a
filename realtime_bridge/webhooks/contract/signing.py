"""Signatures as Standard Webhooks 1.0.0 asks. Over bytes, with every live secret. Pure; used by the sender.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
Signed are `id "." timestamp "." body`; the key is what the base64 after `whsec_` stands for.
"""

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Sequence
from uuid import UUID


def secrets_context(account_id: UUID) -> str:
    """Bind sealed texts to their account: copied to another one they do not open."""
    return f"webhooks of {account_id}"


PREFIX = "whsec_"
SECRET_BYTES = 32
MIN_SECRET_BYTES, MAX_SECRET_BYTES = 24, 64  # the specification's bounds
ID_HEADER = "webhook-id"
TIMESTAMP_HEADER = "webhook-timestamp"
SIGNATURE_HEADER = "webhook-signature"
COMPATIBILITY_HEADER = "X-Signature"


class MalformedSecret(ValueError):
    """The text is not `whsec_` and base64 of 24 to 64 bytes."""


def new_secret() -> str:
    """Return the text of a new secret."""
    return PREFIX + base64.b64encode(os.urandom(SECRET_BYTES)).decode()


def key_of(secret: str) -> bytes:
    """Return the key that a secret's text stands for. Raises MalformedSecret."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX).encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or not MIN_SECRET_BYTES <= len(key) <= MAX_SECRET_BYTES:
        raise MalformedSecret(
            f"A secret is {PREFIX} and then {MIN_SECRET_BYTES} to {MAX_SECRET_BYTES} random bytes in base64."
        )
    return key


def sign(keys: Sequence[bytes], message_id: str, timestamp_s: int, body: bytes) -> str:
    """Return the value of `webhook-signature`: one `v1,…` per key, so that a receiver may know any of them."""
    signed = b"%s.%d.%s" % (message_id.encode(), timestamp_s, body)
    return " ".join("v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in keys)


def sign_body(key: bytes, body: bytes) -> str:
    """Return the value of `X-Signature`, GitHub's form: over the body only, so without a guard against replays."""
    return "sha256=" + hmac.digest(key, body, hashlib.sha256).hex()
