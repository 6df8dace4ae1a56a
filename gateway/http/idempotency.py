"""`Idempotency-Key` on every POST. The first answer is kept for a day, and a repeat of the request gets it again.

draft-ietf-httpapi-idempotency-key-header-07, and Stripe where it leaves room. The record commits in the transaction of
the write it tells of, so there is never one without the other. Views that call somebody over the network have no such
transaction: their record is written afterwards, and doing them once more, after a crash in between, does no harm.

Kept are successes and what the state refused (404, 409, 410, 412); what was not carried out for other reasons (a bad
body, limits, an outage) may be sent again as if for the first time. A record opens with the API key of its caller only:
an answer may hold a secret that is shown once.
"""

import contextlib
import hashlib
import json
import re
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from os import urandom
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from flask import Response, current_app, g, request

from gateway.database import Connection, Database
from gateway.errors import (
    IdempotencyInFlight,
    IdempotencyKeyInvalid,
    IdempotencyKeyReused,
    ProblemError,
    ServiceUnavailable,
)
from gateway.http.routes import View
from gateway.store import idempotency as store

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
KEPT_STATUSES = frozenset({200, 201, 202, 204, 404, 409, 410, 412})
KEPT_HEADERS = ("Content-Type", "Location", "ETag", "Cache-Control", "Retry-After")
NONCE_BYTES = 12
_QUOTED = re.compile(r'"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')  # RFC 8941 §3.3.3, a String
_PLAIN = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where an answer is kept: by API key, method, path and Idempotency-Key; with what opens it."""

    id: bytes
    fingerprint: bytes
    box: AESGCM


class Idempotency:
    """Wraps every view that takes POST with a key. No transaction is open around one that `calls_out`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def wrap(self, view: View, *, calls_out: bool) -> View:
        once = self._apart if calls_out else self._together

        def wrapped(**arguments: Any) -> Response:
            text = request.headers.get(HEADER)
            return view(**arguments) if text is None else once(_place(parse(text)), partial(view, **arguments))

        return wrapped

    def _together(self, place: _Place, view: View) -> Response:
        with self._database.joined() as connection:
            if not store.try_lock(connection, place.id):
                raise IdempotencyInFlight
            return _once(connection, place, view, connection.transaction())

    def _apart(self, place: _Place, view: View) -> Response:
        with self._database.pinned() as connection, store.hold(connection, place.id) as is_ours:
            if not is_ours:
                raise IdempotencyInFlight
            return _once(connection, place, view, contextlib.nullcontext())


def _once(connection: Connection, place: _Place, view: View, whole: AbstractContextManager[object]) -> Response:
    """Ask the view, unless it was asked before. What a refused request wrote in `whole` goes, its answer stays."""
    known = store.find(connection, place.id)
    if known is not None:
        return _replay(place, *known)
    try:
        with whole:
            response = view()
    except ServiceUnavailable:
        raise
    except ProblemError as error:
        response = current_app.make_response(current_app.handle_user_exception(error))
    if response.status_code in KEPT_STATUSES:
        store.remember(connection, place.id, place.fingerprint, _seal(place, response))
    return response


def is_repeat(database: Database) -> bool:
    """Whether the answer to this request is kept: what it did was done, and counted, by the first one."""
    text = request.headers.get(HEADER)
    if text is None:
        return False
    with database.connection() as connection:
        return store.find(connection, _place(parse(text)).id) is not None


def parse(text: str) -> str:
    """Return the key that a header holds: a quoted string as in the draft, or the bare word that most clients send."""
    text = text.strip()
    if text.startswith('"'):
        match = _QUOTED.fullmatch(text)
        text = re.sub(r"\\(.)", r"\1", match[1]) if match else ""
    if not _PLAIN.fullmatch(text.replace(" ", "_")):
        raise IdempotencyKeyInvalid(f"Send 1 to 255 printable characters in {HEADER}, such as a UUID.")
    return text


def _place(key: str) -> _Place:
    scope = f"{g.api_key.id}\n{request.method}\n{request.path}\n{key}"
    secret = hashlib.sha256(f"crossfade idempotency\n{g.api_key_text}\n{key}".encode()).digest()
    said = request.query_string + b"\n" + _canonical(request.get_data(cache=True))
    return _Place(
        id=hashlib.sha256(scope.encode()).digest(), fingerprint=hashlib.sha256(said).digest(), box=AESGCM(secret)
    )


def _canonical(raw: bytes) -> bytes:
    """The same JSON is the same payload, however it is spaced and ordered."""
    try:
        return json.dumps(json.loads(raw), sort_keys=True).encode()
    except (ValueError, RecursionError):
        return raw


def _seal(place: _Place, response: Response) -> bytes:
    headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    answer = {"status": response.status_code, "headers": headers, "body": response.get_data(as_text=True)}
    nonce = urandom(NONCE_BYTES)
    return nonce + place.box.encrypt(nonce, json.dumps(answer).encode(), place.id)


def _replay(place: _Place, fingerprint: bytes, sealed_answer: bytes) -> Response:
    if fingerprint != place.fingerprint:
        raise IdempotencyKeyReused(f"Use a new {HEADER} for another request; repeat the old one unchanged.")
    nonce, sealed = sealed_answer[:NONCE_BYTES], sealed_answer[NONCE_BYTES:]
    answer = json.loads(place.box.decrypt(nonce, sealed, place.id))
    return Response(answer["body"], status=answer["status"], headers={**answer["headers"], REPLAYED: "true"})
