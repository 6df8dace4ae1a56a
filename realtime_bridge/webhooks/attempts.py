"""One attempt over HTTP: signed, guarded, bounded. Called by the sender; touches no database."""

import asyncio
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import aiohttp

from realtime_bridge.webhooks import signing
from realtime_bridge.webhooks.address_guard import Lookup, create_connector, getaddrinfo
from realtime_bridge.webhooks.addresses import AddressRefused
from realtime_bridge.webhooks.deliveries import Claimed
from realtime_bridge.webhooks.endpoints import Endpoint
from realtime_bridge.webhooks.outcomes import Outcome, Timing, outcome_of_status, wish_of
from realtime_bridge.webhooks.urls import UrlPolicy, UrlRefused

TIMEOUT_S = 15.0  # in all; a receiver that does its work before it answers is told not to
CONNECT_TIMEOUT_S = 5.0
BODY_TIMEOUT_S = 2.0  # an answer is a status; its body is only kept for people to look at
MAX_RESPONSE_BYTES = 16_384
MAX_HEADERS = 30
MAX_HEADER_CHARS = 500
HIDDEN_HEADERS = frozenset({"set-cookie", "www-authenticate", "proxy-authenticate", "authorization"})
USER_AGENT = "Crossfade-Webhooks/1"
REPLAY_HEADER = "webhook-replay"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What happened, as it is logged."""

    outcome: Outcome
    started_at: datetime
    timing: Timing
    status: int | None = None
    error: str = ""
    wish_s: float = 0.0
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
        self._policy = policy
        self._tls = tls if tls is not None else True
        self._session = aiohttp.ClientSession(
            connector=create_connector(policy.guard, limit=connections, lookup=lookup),
            timeout=aiohttp.ClientTimeout(total=timeout_s, sock_connect=min(CONNECT_TIMEOUT_S, timeout_s)),
            trust_env=False,  # a proxy variable would carry requests around the guard
            auto_decompress=False,  # a few bytes may not become gigabytes
            cookie_jar=aiohttp.DummyCookieJar(),
            trace_configs=[_tracing()],
            headers={"User-Agent": USER_AGENT, "Content-Type": "application/json", "Accept-Encoding": "identity"},
        )

    async def close(self) -> None:
        await self._session.close()

    async def attempt(self, delivery: Claimed, endpoint: Endpoint) -> Attempt:
        """Send one request; never raises but for cancellation."""
        started_at, began = datetime.now(UTC), time.perf_counter()
        trace: dict[str, float] = {}
        if endpoint.error or delivery.body is None:
            outcome = Outcome.SECRET_UNAVAILABLE if endpoint.error else Outcome.EXPIRED
            error = endpoint.error or "The log no longer holds this event."
            return Attempt(outcome=outcome, started_at=started_at, timing=Timing(total_ms=0.0), error=error)
        body = delivery.body.encode()
        headers = signed_headers(delivery, endpoint, body, int(started_at.timestamp()))
        try:
            answer = await self._post(endpoint.url, body, headers, trace)
        except Exception as error:  # noqa: BLE001 - whatever a receiver provokes is an outcome of this attempt
            answer = _failure(error)
        total_ms = (time.perf_counter() - began) * 1_000
        return Attempt(
            **answer,
            started_at=started_at,
            timing=Timing(
                dns_ms=trace.get("dns"),
                connect_ms=trace.get("connect"),
                first_byte_ms=trace.get("first_byte"),
                total_ms=total_ms,
            ),
            secret_ids=tuple(secret_id for secret_id, _ in endpoint.keys),
        )

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str], trace: dict[str, float]) -> dict[str, Any]:
        """Post; a kept connection that turns out to be closed already is replaced once."""
        target = self._policy.check(url)
        for retry in (False, True):
            context = {"trace": trace}
            began = time.perf_counter()
            try:
                async with self._session.post(
                    target, data=body, headers=headers, allow_redirects=False, ssl=self._tls, trace_request_ctx=context
                ) as response:
                    trace["first_byte"] = (time.perf_counter() - began) * 1_000
                    return await _answer(response)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                if retry or "reused" not in trace or isinstance(error, aiohttp.ClientConnectorError):
                    raise
                trace.clear()
        raise AssertionError("the second try returns or raises")


def signed_headers(delivery: Claimed, endpoint: Endpoint, body: bytes, timestamp_s: int) -> dict[str, str]:
    """Return the request's headers: the endpoint's own, then ours, which win."""
    keys = [key for _, key in endpoint.keys]
    message_id = str(delivery.event_id)
    headers = dict(endpoint.headers)
    headers[signing.ID_HEADER] = message_id
    headers[signing.TIMESTAMP_HEADER] = str(timestamp_s)
    headers[signing.SIGNATURE_HEADER] = signing.sign(keys, message_id, timestamp_s, body)
    if endpoint.compatibility_signature:
        headers[signing.COMPATIBILITY_HEADER] = signing.sign_body(keys[0], body)
    if delivery.replay:
        headers[REPLAY_HEADER] = "true"
    return headers


async def _answer(response: aiohttp.ClientResponse) -> dict[str, Any]:
    """Describe a response of which the headers are here. The body is read within bounds of size and time."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            while len(body) < MAX_RESPONSE_BYTES and (chunk := await response.content.read(MAX_RESPONSE_BYTES)):
                body += chunk
    except (TimeoutError, aiohttp.ClientError):
        response.close()  # what was read so far is what there is
    else:
        if not response.content.at_eof():
            response.close()  # never read the rest of an endless body to keep its connection
    status = response.status
    outcome = outcome_of_status(status)
    return {
        "outcome": outcome,
        "status": status,
        "error": "" if outcome is Outcome.DELIVERED else f"The receiver answered {status}.",
        "wish_s": wish_of(response.headers.get("Retry-After"), time.time()),
        "response_headers": _shown(response.headers),
        "response_body": bytes(body[:MAX_RESPONSE_BYTES]).decode("utf-8", "replace").replace("\0", "\ufffd"),
    }


def _shown(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers as they may be stored: bounded, readable, without anybody's credentials."""
    kept = [(n, v) for n, v in headers.items() if n.lower() not in HIDDEN_HEADERS][:MAX_HEADERS]
    return {_plain(name): _plain(value) for name, value in kept}


def _plain(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8", "replace").replace("\0", "\ufffd")[:MAX_HEADER_CHARS]


def _failure(error: Exception) -> dict[str, Any]:  # noqa: PLR0911 one line for each kind
    """Return the outcome of what was raised, most specific first, in words for the endpoint's owner."""
    match error:
        case AddressRefused() | UrlRefused():
            return _failed(Outcome.ADDRESS_REFUSED, str(error))
        case aiohttp.ClientConnectorDNSError():
            return _failed(Outcome.DNS_ERROR, "The host's name has no address.")
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError() | ssl.SSLError():
            return _failed(Outcome.TLS_ERROR, f"No trustworthy TLS connection: {_reason(error)}")
        case TimeoutError():
            return _failed(Outcome.TIMEOUT, "No answer in time.")
        case aiohttp.ClientConnectorError() if isinstance(error.os_error, ConnectionRefusedError):
            return _failed(Outcome.CONNECTION_REFUSED, "Nobody listens at that address and port.")
        case aiohttp.ClientConnectorError() if isinstance(error.os_error, socket.gaierror):
            return _failed(Outcome.DNS_ERROR, "The host's name has no address.")
        case aiohttp.ServerDisconnectedError() | ConnectionError() | aiohttp.ClientOSError():
            return _failed(Outcome.CONNECTION_LOST, "The connection ended before an answer.")
        case _:
            return _failed(Outcome.BAD_RESPONSE, f"The answer is not HTTP that can be read ({type(error).__name__}).")


def _failed(outcome: Outcome, error: str) -> dict[str, Any]:
    return {"outcome": outcome, "error": _plain(error)}


def _reason(error: Exception) -> str:
    inner = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    return str(getattr(inner, "verify_message", "") or getattr(inner, "reason", "") or type(inner).__name__)


def _tracing() -> aiohttp.TraceConfig:
    """Measure how long name and connection took; only new connections take any."""
    config = aiohttp.TraceConfig()

    async def begin(_: aiohttp.ClientSession, context: SimpleNamespace, __: Any) -> None:
        context.began = time.perf_counter()

    def ended(name: str) -> Any:
        async def note(_: aiohttp.ClientSession, context: SimpleNamespace, __: Any) -> None:
            context.trace_request_ctx["trace"][name] = (time.perf_counter() - context.began) * 1_000

        return note

    async def begin_dns(_: aiohttp.ClientSession, context: SimpleNamespace, __: Any) -> None:
        context.dns_began = time.perf_counter()

    async def end_dns(_: aiohttp.ClientSession, context: SimpleNamespace, __: Any) -> None:
        context.trace_request_ctx["trace"]["dns"] = (time.perf_counter() - context.dns_began) * 1_000

    async def reuse(_: aiohttp.ClientSession, context: SimpleNamespace, __: Any) -> None:
        context.trace_request_ctx["trace"]["reused"] = 1.0

    config.on_connection_create_start.append(begin)
    config.on_connection_create_end.append(ended("connect"))
    config.on_dns_resolvehost_start.append(begin_dns)
    config.on_dns_resolvehost_end.append(end_dns)
    config.on_connection_reuseconn.append(reuse)
    return config


def row_of(delivery: Claimed, attempt: Attempt) -> dict[str, Any]:
    """Return the attempt's columns for `settle`."""
    return {
        "id": delivery.id,
        "logged_at": delivery.logged_at.isoformat(),
        "fence": delivery.fence,
        "webhook_id": delivery.webhook_id,
        "event_id": str(delivery.event_id),
        "type": delivery.type,
        "number": delivery.attempts + 1,
        "replay": delivery.replay,
        "started_at": attempt.started_at.isoformat(),
        "outcome": attempt.outcome.value,
        "status": attempt.status,
        "error": attempt.error or None,
        "dns_ms": attempt.timing.dns_ms,
        "connect_ms": attempt.timing.connect_ms,
        "first_byte_ms": attempt.timing.first_byte_ms,
        "total_ms": round(attempt.timing.total_ms, 2),
        "response_headers": attempt.response_headers,
        "response_body": attempt.response_body,
        "secret_ids": list(attempt.secret_ids),
    }
