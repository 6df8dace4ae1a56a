"""Names, connections, certificates and kept connections: what an attempt comes to, and how long it takes."""

import asyncio
import ssl
import threading
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from realtime_bridge.shared.outbound import ANSWER_BYTES
from realtime_bridge.webhooks.call.attempt import Attempt, Caller
from realtime_bridge.webhooks.contract.outcomes import Outcome
from tests.integration.webhooks.answers import EMPTY, TIMEOUT_S, attempt_at, hangs, repeats, says, serving
from tests.integration.webhooks.conftest import LOOPBACK
from tests.taken_deliveries import delivery, endpoint


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
