"""Attempt over HTTP: signed, guarded, bounded. Called by the sender; touches no database."""

import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

import aiohttp
from yarl import URL

from realtime_bridge.shared import outbound
from realtime_bridge.webhooks.call.address_guard import OPENING, Lookup, Opening, create_connector, getaddrinfo
from realtime_bridge.webhooks.call.answer import describe_failure, read_answer
from realtime_bridge.webhooks.contract import signing
from realtime_bridge.webhooks.contract.health import Result
from realtime_bridge.webhooks.contract.outcomes import Outcome, Timing
from realtime_bridge.webhooks.contract.urls import UrlPolicy
from realtime_bridge.webhooks.queue.deliveries import Claimed
from realtime_bridge.webhooks.queue.endpoints import Endpoint

TIMEOUT_S = 15.0  # in all; a receiver that does its work before it answers is told not to
CONNECT_TIMEOUT_S = 5.0
MAX_CHECKED = 10_000  # URLs of which the check is remembered; the guard of the socket looks at every connection
USER_AGENT = "Crossfade-Webhooks/1"
REPLAY_HEADER = "webhook-replay"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt(Result):
    """What happened, as it is logged."""

    timing: Timing
    status: int | None = None
    response_headers: Mapping[str, str] | None = None
    response_body: str | None = None
    secret_ids: tuple[int, ...] = ()


class Caller:
    """A client session with the guard in it. Made within the event loop, closed by its owner."""

    def __init__(
        self,
        policy: UrlPolicy,
        *,
        connections: int,
        timeout_s: float = TIMEOUT_S,
        lookup: Lookup = getaddrinfo,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._check = lru_cache(MAX_CHECKED)(policy.check)
        self._tls = tls if tls is not None else True
        self._session = outbound.session(
            create_connector(policy.guard, limit=connections, lookup=lookup),
            aiohttp.ClientTimeout(total=timeout_s, sock_connect=min(CONNECT_TIMEOUT_S, timeout_s)),
            **{"User-Agent": USER_AGENT, "Content-Type": "application/json"},
        )

    async def close(self) -> None:
        await self._session.close()

    async def attempt(self, delivery: Claimed, endpoint: Endpoint) -> Attempt:
        """Send one request; never raises but for cancellation."""
        started_at, began = datetime.now(UTC), time.perf_counter()
        if endpoint.error or delivery.body is None:
            outcome = Outcome.SECRET_UNAVAILABLE if endpoint.error else Outcome.EXPIRED
            error = endpoint.error or "The log no longer holds this event."
            return Attempt(outcome=outcome, started_at=started_at, timing=Timing(total_ms=0.0), error=error)
        headers = signed_headers(delivery, endpoint, delivery.body, int(started_at.timestamp()))
        opening, first_byte_ms = Opening(), None
        try:
            async with await self._post(self._check(endpoint.url), delivery.body, headers, opening) as response:
                first_byte_ms = (time.perf_counter() - began) * 1_000
                answer = await read_answer(response)
        except Exception as error:  # noqa: BLE001 - whatever a receiver provokes is an outcome of this attempt
            answer = describe_failure(error)
        return Attempt(
            **answer,
            started_at=started_at,
            timing=Timing(
                dns_ms=opening.dns_ms,
                connect_ms=opening.connect_ms,
                first_byte_ms=first_byte_ms,
                total_ms=(time.perf_counter() - began) * 1_000,
            ),
            secret_ids=tuple(secret_id for secret_id, _ in endpoint.keys),
        )

    async def _post(
        self, url: URL, body: bytes, headers: Mapping[str, str], opening: Opening
    ) -> aiohttp.ClientResponse:
        """Post; a kept connection that turns out to be closed already is replaced once."""
        OPENING.set(opening)
        for retry in (False, True):
            try:
                return await self._session.post(url, data=body, headers=headers, allow_redirects=False, ssl=self._tls)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                if retry or opening.begun or error.args[:1] == (outbound.TOO_LONG,):
                    raise
        raise AssertionError("the second try returns or raises")


def signed_headers(delivery: Claimed, endpoint: Endpoint, body: bytes, timestamp_s: int) -> dict[str, str]:
    """Return the request's headers: the endpoint's own, then ours, which win."""
    keys = [key for _, key in endpoint.keys]
    headers = dict(endpoint.headers)
    headers[signing.ID_HEADER] = delivery.event_id
    headers[signing.TIMESTAMP_HEADER] = str(timestamp_s)
    headers[signing.SIGNATURE_HEADER] = signing.sign(keys, delivery.event_id, timestamp_s, body)
    if endpoint.compatibility_signature:
        headers[signing.COMPATIBILITY_HEADER] = signing.sign_body(keys[0], body)
    if delivery.replay:
        headers[REPLAY_HEADER] = "true"
    return headers
