"""Headers that many routes have in common, described."""

from typing import Any

from gateway.http.if_match import FORM

HEADERS: dict[str, Any] = {
    name: {"description": words, "schema": {"type": "string"}}
    for name, words in {
        "X-Request-Id": "Names the request in our log; yours, if you sent one.",
        "RateLimit": ("What is left of each limit and when more comes (draft-ietf-httpapi-ratelimit-headers-11)."),
        "RateLimit-Policy": (
            "The limits: `requests` and `send` of the key, `account` and `account-send` of all its account's keys,"
            " `new-keys` of making them; `q` in `w` seconds."
        ),
    }.items()
}
LOCATION = {
    "description": "The path of what was made.",
    "required": True,
    "schema": {"type": "string", "format": "uri-reference"},
}


def _parameter(name: str, words: str, *, required: bool, **schema: str) -> dict[str, Any]:
    shown = {"type": "string", **schema}
    return {"name": name, "in": "header", "required": required, "description": words, "schema": shown}


IDEMPOTENCY_KEY = _parameter(
    "Idempotency-Key",
    "A name you give this request, such as a UUID. For a day a repeat gets the first answer, marked by"
    " `Idempotency-Replayed: true`; another payload is refused with 422.",
    required=False,
    pattern=r'^("([ !#-\[\]-~]|\\["\\])+"|[!#-~][ -~]{0,254})$',
)
IF_MATCH = _parameter(
    "If-Match",
    "The ETag of the version that you have seen, or `*`. Another one is answered with 412.",
    required=False,
    pattern=FORM,
)
SENT_HEADERS = [
    _parameter(name, words, required=True)
    for name, words in {
        "webhook-id": "The `eventId`: the same on every attempt. Drop repeats by it.",
        "webhook-timestamp": (
            "When this attempt was made, in seconds since 1970. Refuse what is older than five minutes."
        ),
        "webhook-signature": (
            "One `v1,…` for each live secret, separated by spaces: HMAC-SHA256 of id, timestamp and raw body, joined by"
            " dots (Standard Webhooks 1.0)."
        ),
    }.items()
]
