"""Answers of receivers, or the failure to give one. Each is an outcome and a record of bounded size.

Called by attempt.py; sends nothing.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Mapping
from typing import Any

import aiohttp

from realtime_bridge.shared.outbound import ANSWER_BYTES, TOO_LONG
from realtime_bridge.shared.payloads import storable
from realtime_bridge.webhooks.contract.addresses import AddressRefused
from realtime_bridge.webhooks.contract.outcomes import Outcome, outcome_of_status, wish_of
from realtime_bridge.webhooks.contract.urls import UrlRefused

BODY_TIMEOUT_S = 2.0  # an answer is a status; its body is only kept for people to look at
MAX_RESPONSE_BYTES = 16_384
MAX_PIECES = 256  # of its body: chunks of one byte cost more to take apart than they are worth
MAX_HEADERS = 30
MAX_HEADER_CHARS = 500
HIDDEN_HEADERS = frozenset({"set-cookie", "www-authenticate", "proxy-authenticate", "authorization"})


async def read_answer(response: aiohttp.ClientResponse) -> dict[str, Any]:
    """Describe a response of which the headers are here. The body is read within bounds of size and time."""
    body = await _read_body(response)
    status = response.status
    outcome = outcome_of_status(status)
    return {
        "outcome": outcome,
        "status": status,
        "error": "" if outcome is Outcome.DELIVERED else f"The receiver answered {status}.",
        "wish_s": wish_of(response.headers.get("Retry-After"), time.time()),
        "response_headers": _shown(response.headers),
        "response_body": storable(body.decode("utf-8", "replace")),
    }


async def _read_body(response: aiohttp.ClientResponse) -> bytes:
    content = response.content
    if content.is_eof() and content.exception() is None:  # it came with the headers, as mostly: no clock is needed
        body = content.read_nowait(MAX_RESPONSE_BYTES)
    else:
        body = await _read_slow_body(response)
    if not content.at_eof():
        response.close()  # never read the rest of an endless body to keep its connection
    return body[:MAX_RESPONSE_BYTES]


async def _read_slow_body(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            for _ in range(MAX_PIECES):
                if len(body) >= MAX_RESPONSE_BYTES or response.content.at_eof():
                    break
                body += (await response.content.readchunk())[0]
    except (TimeoutError, aiohttp.ClientError):
        response.close()  # what was read so far is what there is
    return bytes(body)


def _shown(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers as they may be stored: bounded, readable, without anybody's credentials."""
    kept = [(n, v) for n, v in headers.items() if n.lower() not in HIDDEN_HEADERS][:MAX_HEADERS]
    return {_plain(name): _plain(value) for name, value in kept}


def _plain(text: str) -> str:
    return storable(text)[:MAX_HEADER_CHARS]


def describe_failure(error: Exception) -> dict[str, Any]:  # noqa: PLR0911 one line for each kind
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
        case aiohttp.ClientOSError() if error.errno == TOO_LONG:
            return _failed(Outcome.BAD_RESPONSE, f"The answer's head is longer than {ANSWER_BYTES} bytes.")
        case aiohttp.ServerDisconnectedError() | ConnectionError() | aiohttp.ClientOSError():
            return _failed(Outcome.CONNECTION_LOST, "The connection ended before an answer.")
        case _:
            return _failed(Outcome.BAD_RESPONSE, f"The answer is not HTTP that can be read ({type(error).__name__}).")


def _failed(outcome: Outcome, error: str) -> dict[str, Any]:
    return {"outcome": outcome, "error": _plain(error)}


def _reason(error: Exception) -> str:
    inner = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    return str(getattr(inner, "verify_message", "") or getattr(inner, "reason", "") or type(inner).__name__)
