"""Headers that many routes have in common, described."""

from typing import Any

HEADERS: dict[str, Any] = {
    "X-Request-Id": {
        "description": "Names the request in our log; yours, if you sent one.",
        "schema": {"type": "string"},
    },
    "RateLimit": {
        "description": "What is left of each limit and when more comes (draft-ietf-httpapi-ratelimit-headers-11).",
        "schema": {"type": "string"},
    },
    "RateLimit-Policy": {
        "description": "The limits: `requests` and `send` of the key, `account` and `account-send` of all its account's"
        " keys, `new-keys` of making them; `q` in `w` seconds.",
        "schema": {"type": "string"},
    },
}
ANSWER_HEADERS = tuple(HEADERS)
REQUEST_HEADERS: dict[str, dict[str, Any]] = {
    "Idempotency-Key": {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "A name you give this request, such as a UUID. For a day a repeat gets the first answer,"
        " marked by `Idempotency-Replayed: true`; another payload is refused with 422.",
        "schema": {"type": "string", "pattern": r'^("([ !#-\[\]-~]|\\["\\])+"|[!#-~][ -~]{0,254})$'},
    },
    "If-Match": {
        "name": "If-Match",
        "in": "header",
        "required": False,
        "description": "The ETag of the version that you have seen, or `*`. Another one is answered with 412.",
        "schema": {"type": "string"},
    },
}
SENT_HEADERS: list[dict[str, Any]] = [
    {
        "name": "webhook-id",
        "in": "header",
        "required": True,
        "description": "The `eventId`: the same on every attempt. Drop repeats by it.",
        "schema": {"type": "string"},
    },
    {
        "name": "webhook-timestamp",
        "in": "header",
        "required": True,
        "description": "When this attempt was made, in seconds since 1970. Refuse what is older than five minutes.",
        "schema": {"type": "string"},
    },
    {
        "name": "webhook-signature",
        "in": "header",
        "required": True,
        "description": "One `v1,…` for each live secret, separated by spaces: HMAC-SHA256 of id, timestamp and raw"
        " body, joined by dots (Standard Webhooks 1.0).",
        "schema": {"type": "string"},
    },
]
