"""Receiver's part: `verify` a received request. Raises one error type whatever an attacker sends. Needs nothing else.

    from realtime_bridge.webhooks.receiver import WebhookRefused, verify

    try:
        event = verify(request.get_data(), request.headers, ["whsec_…"])
    except WebhookRefused:
        return "", 400

Remember each `webhook-id` for as long as the tolerance and drop repeats: a delivery may come twice.
"""

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Iterable, Mapping
from typing import Any

from realtime_bridge.shared.payloads import Unreadable, decode
from realtime_bridge.webhooks.contract.signing import ID_HEADER, PREFIX, SIGNATURE_HEADER, TIMESTAMP_HEADER

TOLERANCE_S = 300  # what every Standard Webhooks library uses
_SECONDS = re.compile(r"[0-9]{1,15}", re.ASCII)


class WebhookRefused(Exception):
    """The request is not to be believed; the text says why and is safe to log."""


def verify(
    body: bytes | str,
    headers: Mapping[str, Any],
    secrets: str | Iterable[str],
    *,
    tolerance_s: float = TOLERANCE_S,
    now_s: float | None = None,
) -> dict[str, Any]:
    """Return the event of a request that one of `secrets` signed not longer than `tolerance_s` ago.

    `body` is the raw one: parse nothing before. Header names are found in any case. Raises WebhookRefused, only.
    """
    try:
        raw = body.encode() if isinstance(body, str) else bytes(body)
    except (TypeError, ValueError):
        raise WebhookRefused("The body is neither bytes nor text.") from None
    keys = [_key(secret) for secret in ([secrets] if isinstance(secrets, str) else secrets)]
    found = {str(name).lower(): _text(value) for name, value in headers.items()}
    message_id, timestamp, signatures = (found.get(n, "") for n in (ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER))
    if not message_id or not _SECONDS.fullmatch(timestamp) or not signatures:
        raise WebhookRefused("A Standard Webhooks header is missing or malformed.")
    if abs((time.time() if now_s is None else now_s) - int(timestamp)) > tolerance_s:
        raise WebhookRefused("The timestamp is too far from now: an old request, or a wrong clock.")
    signed = message_id.encode("utf-8", "surrogatepass") + b"." + timestamp.encode() + b"." + raw
    if not any(_matches(key, signed, signatures) for key in keys):
        raise WebhookRefused("No signature matches.")
    try:
        return decode(raw)
    except Unreadable:
        raise WebhookRefused("The body is signed, but no JSON object.") from None


def _key(secret: str) -> bytes:
    """Take what every Standard Webhooks library takes: without prefix or padding, within white space, of any length."""
    try:
        text = secret.strip().removeprefix(PREFIX).rstrip("=")
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (AttributeError, ValueError):
        key = b""
    if not key:
        raise WebhookRefused(f"Your own secret is wrong: it is {PREFIX} and then base64.")
    return key


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _matches(key: bytes, signed: bytes, signatures: str) -> bool:
    """Compare as bytes and in constant time; what is not a v1 signature is passed over."""
    expected = b"v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256))
    offered = signatures.encode("utf-8", "surrogatepass").split(b" ")
    return any([hmac.compare_digest(expected, one) for one in offered])  # noqa: C419 no early end
