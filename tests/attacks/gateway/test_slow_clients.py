"""Clients that are slow on purpose, or because their line is: they cost nobody anything but themselves."""

import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from ops.machine.postgres import EmbeddedPostgres
from tests.attacks.gateway.crowded import LIST, Attacked, answer, attacked, head, path_of
from tests.waiting import wait_for

PATIENCE_S = 2
HOOK = f"/hooks/wuzapi/{uuid4()}"
SIGNED = f"x-hmac-signature: {secrets.token_hex(32)}"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 300_000


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: EmbeddedPostgres, template_database: str, redis_url: str
) -> Iterator[Attacked]:
    directory: Path = tmp_path_factory.mktemp("slow-clients")
    variables = {
        "CROSSFADE_STORAGE": "directory",
        "CROSSFADE_STORAGE_DIR": str(directory / "files"),
        "CROSSFADE_SECRETS_KEY": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "CROSSFADE_MAX_WAITERS": "8",  # fewer threads to occupy
        "CROSSFADE_REQUEST_TIMEOUT_S": str(PATIENCE_S),
    }
    with attacked(directory, postgres_server, template_database, f"{redis_url}?db=11", **variables) as running:
        yield running


@pytest.mark.parametrize("size", [1_000, 8_000_000])
def test_silent_bodies_stop_nobody(gateway: Attacked, size: int) -> None:
    """Forty webhooks without a key that send one byte and stop: more than there are places, and nobody notices."""
    sent = head("POST", HOOK, SIGNED, "Content-Type: application/json", f"Content-Length: {size}") + b"{"
    with gateway.sockets(40, sent):
        gateway.bystander_is_served()


def test_an_unknown_channel_is_refused_before_its_body(gateway: Attacked) -> None:
    """Neither 8 MB nor a signature are waited for when there is no such channel; the connection ends, too."""
    for lines in ((SIGNED,), ()):
        with gateway.sockets(1, head("POST", HOOK, *lines, "Content-Length: 8000000")) as (client,):
            said = answer(client)
        assert said.startswith(b"HTTP/1.1 401 "), said
        assert b"signature_invalid" in said
        assert b"\r\nConnection: close\r\n" in said


def test_whoever_does_not_finish_is_told_and_closed(gateway: Attacked) -> None:
    """A head, a small body and a large one have a deadline: 408, and the connection ends."""
    own = head("POST", f"{LIST}/1/messages:import", f"X-API-Key: {gateway.key}", "Content-Length: 200000")
    small = head("POST", LIST, f"X-API-Key: {gateway.key}", "Content-Length: 100")
    with gateway.sockets(3) as clients:
        for client, sent in zip(clients, (b"GET / HTTP/1.1\r\nHost", small + b"{", own + b"{"), strict=True):
            client.sendall(sent)
        for client in clients:
            said = answer(client)
            assert said.startswith(b"HTTP/1.1 408 "), said
            assert b"\r\nConnection: close\r\n" in said
            assert b"request_timeout" in said


def test_trickles_end_with_the_same_deadline(gateway: Attacked) -> None:
    """A byte now and then is no reason to wait on: the deadline is of the whole head."""
    with gateway.sockets(1, b"GET / HTTP/1.1\r\nX: ") as (client,):
        client.settimeout(0.1)

        def ended() -> bytes:
            try:
                client.sendall(b"y")
                return client.recv(100)
            except TimeoutError:
                return b""

        assert wait_for(ended, "the trickle to be cut off", PATIENCE_S + 8).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(("size", "sent"), [(90_000, 1_000), (2_000_000, 2_000_000)])
def test_what_is_too_large_ends_its_connection(gateway: Attacked, size: int, sent: int) -> None:
    """RFC 9110 §15.5.14: 413 is told, also to who goes on sending; no rest is waited for, nor taken for a request."""
    lines = (f"X-API-Key: {gateway.key}", "Content-Type: application/json", f"Content-Length: {size}")
    with gateway.sockets(1, head("POST", LIST, *lines) + b"{" * sent) as (client,):
        said = answer(client)
    assert said.startswith(b"HTTP/1.1 413 "), said
    assert b"\r\nConnection: close\r\n" in said


def test_slow_uploads_hold_no_place(gateway: Attacked) -> None:
    """As many honest photo uploads as there are places, all half done: everybody else is served, then they finish."""
    ready = []
    for _ in range(16):
        new = {"fileName": "a.png", "contentType": "image/png", "sizeBytes": len(PNG)}
        status, document, _ = gateway.server.request("POST", "/api/v1/chat/attachments", gateway.key, new)
        assert status == 201
        ready.append(path_of(document["data"]["upload"]["url"]))
    with gateway.sockets(16) as clients:
        for client, path in zip(clients, ready, strict=True):
            client.sendall(head("PUT", path, f"Content-Length: {len(PNG)}", "Connection: close") + PNG[:100_000])
        gateway.bystander_is_served()
        for client in clients:
            client.sendall(PNG[100_000:])
        assert {answer(client)[:12] for client in clients} == {b"HTTP/1.1 200"}


def test_an_answer_is_kept_for_whoever_comes_to_it_late(gateway: Attacked) -> None:
    """It has a second for each 8 kB, beside the seconds of every request."""
    ask = head("GET", "/api/v1/openapi.json")
    with gateway.sockets(
        1, ask * 23 + head("GET", "/api/v1/openapi.json", "Connection: close"), receive_bytes=2_048
    ) as (client,):
        time.sleep(PATIENCE_S + 2)
        assert answer(client).count(b"HTTP/1.1 200 ") == 24


def test_an_answer_that_nobody_takes_holds_no_thread(gateway: Attacked) -> None:
    """Hundreds of clients ask again and again for the largest page there is without a key, and read nothing."""
    with gateway.sockets(500, head("GET", "/api/v1/openapi.json") * 24, receive_bytes=2_048):
        gateway.bystander_is_served()
