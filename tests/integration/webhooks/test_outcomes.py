"""Every way a receiver can answer or fail: the documented outcome, and a bounded one. Over real sockets."""

import asyncio
import contextlib
import gzip
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from realtime_bridge.shared.outbound import ANSWER_BYTES
from realtime_bridge.webhooks.call.answer import MAX_RESPONSE_BYTES
from realtime_bridge.webhooks.call.attempt import Attempt, Caller
from realtime_bridge.webhooks.contract.outcomes import Outcome
from tests.integration.webhooks.conftest import LOOPBACK
from tests.taken_deliveries import delivery, endpoint

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
TIMEOUT_S = 1.0


def says(*parts: bytes, gap_s: float = 0.0, then_reset: bool = False) -> Serve:
    """Read the request's head, then write `parts`, with a pause before each but the first, and close."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for number, part in enumerate(parts):
            if number:
                await asyncio.sleep(gap_s)
            writer.write(part)
            await writer.drain()
        if then_reset:
            writer.transport.abort()

    return serve


async def hangs(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


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


def repeats(part: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        while True:
            writer.write(part * 1_000)
            await writer.drain()

    return serve


@contextlib.asynccontextmanager
async def serving(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    tasks: set[asyncio.Task[None]] = set()

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await serve(reader, writer)
        writer.close()

    server = await asyncio.start_server(guarded, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def attempt_at(serve: Serve, *, scheme: str = "http", tls: ssl.SSLContext | None = None) -> Attempt:
    async def scenario() -> Attempt:
        async with serving(serve, tls) as port:
            caller = Caller(LOOPBACK, connections=10, timeout_s=TIMEOUT_S)
            try:
                return await caller.attempt(delivery(), endpoint(f"{scheme}://127.0.0.1:{port}/"))
            finally:
                await caller.close()

    return asyncio.run(scenario())


BOMB = gzip.compress(b"\0" * 50_000_000)
EMPTY = b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
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
        says(b"HTTP/1.1 103\r\n\r\n" * 30, b"HTTP/1.1 204 No Content\r\n\r\n", gap_s=0.1),
        Outcome.BAD_RESPONSE,
    ),
    "hints ten times, then answers": (
        says(b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n" * 10 + b"HTTP/1.1 204 No Content\r\n\r\n"),
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


def test_nobody_listens() -> None:
    """A refused connection says so."""

    async def scenario() -> Attempt:
        async with serving(hangs) as port:
            pass
        caller = Caller(LOOPBACK, connections=10, timeout_s=TIMEOUT_S)
        try:
            return await caller.attempt(delivery(), endpoint(f"http://127.0.0.1:{port}/"))
        finally:
            await caller.close()

    assert asyncio.run(scenario()).outcome is Outcome.CONNECTION_REFUSED


def test_a_name_without_address() -> None:
    """DNS failures are told apart from all others."""

    async def scenario() -> Attempt:
        def lookup(*_: object) -> list[str]:
            import socket

            raise socket.gaierror(socket.EAI_NONAME, "nothing")

        caller = Caller(LOOPBACK, connections=10, timeout_s=TIMEOUT_S, lookup=lookup)
        try:
            return await caller.attempt(delivery(), endpoint("http://gone.example.com/"))
        finally:
            await caller.close()

    attempt = asyncio.run(scenario())
    assert (attempt.outcome, attempt.error) == (Outcome.DNS_ERROR, "The host's name has no address.")


def test_a_name_server_that_does_not_answer() -> None:
    """Its time is the attempt's time, and that is bounded."""
    answered = threading.Event()

    async def scenario() -> Attempt:
        def lookup(*_: object) -> list[str]:
            answered.wait(30)
            return ["127.0.0.1"]

        caller = Caller(LOOPBACK, connections=10, timeout_s=0.2, lookup=lookup)
        try:
            return await caller.attempt(delivery(), endpoint("http://slow.example.com:8080/"))
        finally:
            answered.set()
            await caller.close()

    assert asyncio.run(scenario()).outcome is Outcome.TIMEOUT


def test_the_time_of_each_step_is_known() -> None:
    """Name, connection and first byte of a new connection; a kept one needs neither name nor connection."""

    async def scenario() -> list[Attempt]:
        async def twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for _ in range(2):
                await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(2)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        async with serving(twice) as port:
            caller = Caller(LOOPBACK, connections=10, timeout_s=TIMEOUT_S, lookup=lambda *_: ["127.0.0.1"])
            try:
                return [await caller.attempt(delivery(), endpoint(f"http://hooks.example.com:{port}/")) for _ in "ab"]
            finally:
                await caller.close()

    new, kept = (attempt.timing for attempt in asyncio.run(scenario()))
    assert None not in (new.dns_ms, new.connect_ms, new.first_byte_ms)
    assert (new.dns_ms or 0) <= (new.connect_ms or 0) <= (new.first_byte_ms or 0) <= new.total_ms
    assert (kept.dns_ms, kept.connect_ms) == (None, None)
    assert kept.first_byte_ms is not None


def test_a_certificate_that_nobody_vouches_for(tmp_path: Path) -> None:
    """A self-signed certificate is refused, and the reason is readable."""
    attempt = attempt_at(says(b"HTTP/1.1 200 OK" + EMPTY), scheme="https", tls=_self_signed(tmp_path))
    assert attempt.outcome is Outcome.TLS_ERROR
    assert "certificate" in attempt.error.lower() or "self" in attempt.error.lower()


def test_what_is_behind_tls_is_bounded_as_well(tmp_path: Path) -> None:
    """Bytes are counted at the socket, whatever they carry."""
    context = ssl.create_default_context()
    tls = _self_signed(tmp_path)
    context.load_verify_locations(tmp_path / "server.pem")

    async def scenario() -> Attempt:
        async with serving(repeats(b"HTTP/1.1 100 Continue\r\n\r\n"), tls) as port:
            caller = Caller(LOOPBACK, connections=10, timeout_s=TIMEOUT_S, tls=context)
            try:
                return await caller.attempt(delivery(), endpoint(f"https://127.0.0.1:{port}/"))
            finally:
                await caller.close()

    attempt = asyncio.run(scenario())
    assert (attempt.outcome, attempt.error) == (
        Outcome.BAD_RESPONSE,
        f"The answer's head is longer than {ANSWER_BYTES} bytes.",
    )


def test_each_answer_of_a_kept_connection_has_its_own_bound() -> None:
    """Many answers over one connection, together longer than one may be; the endless one is not asked for twice."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n" + b"x" * 9_000
    asked = []

    async def scenario() -> list[Attempt]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(2)
                asked.append(writer)
                writer.write(answer if len(asked) < 8 else b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000)

        async with serving(serve) as port:
            caller = Caller(LOOPBACK, connections=10, timeout_s=TIMEOUT_S)
            try:
                return [await caller.attempt(delivery(), endpoint(f"http://127.0.0.1:{port}/")) for _ in range(8)]
            finally:
                await caller.close()

    outcomes = [attempt.outcome for attempt in asyncio.run(scenario())]
    assert outcomes == [Outcome.DELIVERED] * 7 + [Outcome.BAD_RESPONSE]
    assert len(asked) == 8
    assert len(set(asked)) == 1


def test_a_kept_connection_that_was_closed_meanwhile_is_replaced() -> None:
    """A receiver that ends idle connections costs no failed attempt."""

    async def scenario() -> list[Attempt]:
        async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(2)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            await reader.readuntil(b"\r\n\r\n")  # the next request meets a closing server

        async with serving(once) as port:
            caller = Caller(LOOPBACK, connections=10, timeout_s=TIMEOUT_S)
            try:
                return [await caller.attempt(delivery(), endpoint(f"http://127.0.0.1:{port}/")) for _ in range(3)]
            finally:
                await caller.close()

    assert [attempt.outcome for attempt in asyncio.run(scenario())] == [Outcome.DELIVERED] * 3


def _self_signed(directory: Path) -> ssl.SSLContext:
    from datetime import UTC, datetime, timedelta
    from ipaddress import ip_address

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = directory / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    return context
