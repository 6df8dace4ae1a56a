"""Every way a receiver can answer or fail: the documented outcome, and a bounded one. Over real sockets."""

import asyncio
import gzip

import pytest

from realtime_bridge.webhooks.call.answer import MAX_RESPONSE_BYTES
from realtime_bridge.webhooks.contract.outcomes import Outcome
from tests.integration.webhooks.answers import EMPTY, TIMEOUT_S, Serve, attempt_at, hangs, repeats, says


async def speaks_first(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await writer.drain()


async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.transport.abort()


async def floods(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with a body that never ends, as fast as it is taken."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
        await writer.drain()


BOMB = gzip.compress(b"\0" * 50_000_000)
CASES: dict[str, tuple[Serve, Outcome]] = {
    "200": (says(b"HTTP/1.1 200 OK" + EMPTY), Outcome.DELIVERED),
    "204": (says(b"HTTP/1.1 204 No Content\r\n\r\n"), Outcome.DELIVERED),
    "299": (says(b"HTTP/1.1 299 Odd" + EMPTY), Outcome.DELIVERED),
    "103, then 204": (says(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"), Outcome.DELIVERED),
    "101": (says(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), Outcome.REDIRECT),
    "304": (says(b"HTTP/1.1 304 Not Modified" + EMPTY), Outcome.REDIRECT),
    "302": (says(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/" + EMPTY), Outcome.REDIRECT),
    "400": (says(b"HTTP/1.1 400 Bad" + EMPTY), Outcome.CLIENT_ERROR),
    "404": (says(b"HTTP/1.1 404 Not Found" + EMPTY), Outcome.CLIENT_ERROR),
    "408": (says(b"HTTP/1.1 408 Timeout" + EMPTY), Outcome.CLIENT_ERROR),
    "410": (says(b"HTTP/1.1 410 Gone" + EMPTY), Outcome.GONE),
    "429": (says(b"HTTP/1.1 429 Slow\r\nRetry-After: 7" + EMPTY), Outcome.RATE_LIMITED),
    "500": (says(b"HTTP/1.1 500 Oops" + EMPTY), Outcome.SERVER_ERROR),
    "501": (says(b"HTTP/1.1 501 What" + EMPTY), Outcome.SERVER_ERROR),
    "502": (says(b"HTTP/1.1 502 Bad Gateway" + EMPTY), Outcome.OVERLOADED),
    "503": (says(b"HTTP/1.1 503 Busy\r\nRetry-After: 7" + EMPTY), Outcome.OVERLOADED),
    "504": (says(b"HTTP/1.1 504 Late" + EMPTY), Outcome.OVERLOADED),
    "hangs": (hangs, Outcome.TIMEOUT),
    "drips its headers": (says(*[b"H", b"T", b"T", b"P", b"/"] * 9, gap_s=0.2), Outcome.TIMEOUT),
    "drips its body": (says(b"HTTP/1.1 200 OK\r\n\r\n", *[b"x"] * 50, gap_s=0.2), Outcome.DELIVERED),
    "closes without a word": (says(), Outcome.CONNECTION_LOST),
    "resets": (resets, Outcome.CONNECTION_LOST),
    "resets within its head": (says(b"HTTP/1.1 20", then_reset=True), Outcome.CONNECTION_LOST),
    "resets within its body": (
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf", b"", gap_s=0.1, then_reset=True),
        Outcome.DELIVERED,
    ),
    "promises more than it sends": (says(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort"), Outcome.DELIVERED),
    "sends more than it promised": (says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokokok"), Outcome.BAD_RESPONSE),
    "sends a body without end": (floods, Outcome.DELIVERED),
    "hints for ever": (repeats(b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n"), Outcome.BAD_RESPONSE),
    "drips its answer fast": (says(*[b"HTTP/1.1 200 OK\r\nX: "], *[b"x"] * 900, gap_s=0.0005), Outcome.BAD_RESPONSE),
    "hints thirty times, then answers": (
        says(b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n" * 30, b"HTTP/1.1 204 No Content\r\n\r\n", gap_s=0.1),
        Outcome.DELIVERED,
    ),
    "sends a gzip bomb": (
        says(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB) + BOMB),
        Outcome.DELIVERED,
    ),
    "is no HTTP server": (says(b"220 mail.example.com ESMTP\r\n"), Outcome.BAD_RESPONSE),
    "answers rubbish": (says(b"\0\xff" * 100), Outcome.BAD_RESPONSE),
    "sends enormous headers": (says(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"), Outcome.BAD_RESPONSE),
    "sends two lengths": (
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx"),
        Outcome.BAD_RESPONSE,
    ),
    "has a status of its own": (says(b"HTTP/1.1 999 Odd" + EMPTY), Outcome.BAD_RESPONSE),
    "speaks no TLS": (speaks_first, Outcome.TLS_ERROR),
}


@pytest.mark.parametrize("case", CASES)
def test_the_documented_outcome(case: str) -> None:
    """Whatever a receiver does: an outcome of the table, within the timeout, with a bounded record."""
    serve, outcome = CASES[case]
    attempt = attempt_at(serve, scheme="https" if case == "speaks no TLS" else "http")
    assert attempt.outcome is outcome, attempt
    assert attempt.timing.total_ms < (TIMEOUT_S + 2.5) * 1_000
    assert len((attempt.response_body or "").encode()) <= MAX_RESPONSE_BYTES * 3  # a bad byte is shown as three
    assert "\0" not in (attempt.response_body or "")
    assert bool(attempt.error) == (outcome is not Outcome.DELIVERED)
    if case in ("429", "503"):
        assert attempt.wish_s == 7
