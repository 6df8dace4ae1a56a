"""Gate of the API key: who is asking.

Fails closed: when no key can be checked, the answer is 503 and nobody gets in.
"""

import hmac
from datetime import UTC, datetime
from time import monotonic
from typing import NoReturn

from flask import Flask, g, request

from gateway import errors
from gateway.database import Database
from gateway.domain import key_text
from gateway.domain.key_text import KeyText, MalformedKeyError
from gateway.domain.keys import ApiKey
from gateway.fairness.places import LOOKUPS_QUEUED
from gateway.gates.rate_limit import RateLimitGate
from gateway.http.routes import Proof, current
from gateway.keys.cache import KeyCache
from gateway.metrics import Metrics
from gateway.store import keys as stored
from realtime_bridge.shared.shares import Queue, QueueFull

API = "/api/"
LOOKUPS_AT_ONCE = 4  # of keys that this worker does not know, three for strangers: guessing never holds all connections
LOOKUP_WAIT_S = 5.0  # a lookup takes a millisecond; this long a queue is a database that does not answer

HINT = "Send a valid API key in X-API-Key or as Authorization: Bearer."


class ApiKeyGate:
    """Sets `g.api_key`. A key this worker knows costs no database round trip."""

    def __init__(self, database: Database, cache: KeyCache, limits: RateLimitGate, metrics: Metrics) -> None:
        self._database = database
        self._cache = cache
        self._limits = limits
        self._metrics = metrics
        self._lookups = Queue(LOOKUPS_AT_ONCE, LOOKUPS_QUEUED)

    def install(self, app: Flask) -> None:
        app.before_request(self._check)

    def _check(self) -> None:
        if not _needs_key():
            return
        text = self._presented()
        try:
            presented = key_text.parse(text)
        except MalformedKeyError:
            self._refuse()
        key = self._find(presented)
        if key is None or not hmac.compare_digest(key.secret_hash, presented.sha256):
            self._refuse()
        if key.revoked_at is not None:
            raise errors.ApiKeyRevoked("Use another key; this one was revoked.")
        if key.has_expired(datetime.now(UTC)):
            raise errors.ApiKeyExpired("Use another key; this one has expired.")
        g.api_key = key
        g.api_key_text = text  # opens what was sealed for this caller; never logged, gone with the request
        self._cache.mark_used(key.id)

    def _presented(self) -> str:
        header = request.headers.get("X-API-Key", "").strip()
        scheme, _, token = request.headers.get("Authorization", "").strip().partition(" ")
        bearer = token.strip() if scheme.lower() == "bearer" else ""
        if header and bearer and header != bearer:
            raise errors.ApiKeyConflict("Send one API key: X-API-Key and Authorization hold different ones.")
        if not (header or bearer):
            raise errors.ApiKeyMissing(HINT)
        return header or bearer

    def _find(self, presented: KeyText) -> ApiKey | None:
        if (key := self._cache.find(presented.id)) is not None:
            self._metrics.key_lookups.labels("cache").inc()
            return key
        owner = self._cache.find_account(presented.id)  # None for strangers, who wait together
        try:
            with self._lookups.place(owner, LOOKUP_WAIT_S):
                return self._look_up(presented)
        except (QueueFull, errors.ServiceUnavailable) as error:
            self._metrics.keys_not_checked.inc()
            raise errors.ServiceUnavailable from error.__cause__ or error

    def _look_up(self, presented: KeyText) -> ApiKey | None:
        """Ask the database, however many others have guessed from the same address: this key may be the good one."""
        if (key := self._cache.find(presented.id)) is not None:  # somebody before us asked
            return key
        self._metrics.key_lookups.labels("database").inc()
        read_at = monotonic()
        with self._database.connection() as connection:
            key = stored.find(connection, presented.id)
        if key is not None:
            self._cache.store(key, read_at=read_at)
        return key

    def _refuse(self) -> NoReturn:
        self._limits.count_failed_key()
        raise errors.ApiKeyInvalid(HINT)


def _needs_key() -> bool:
    """Without a route and not beneath the API, the answer is 404 or 405 for everybody, and tells nothing."""
    route = current()
    return route.proof is Proof.KEY if route else request.path.startswith(API)
