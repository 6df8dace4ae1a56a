"""Clients that are slow on purpose, or because their line is: they cost nobody anything but themselves."""

import contextlib
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from ops.machine.postgres import EmbeddedPostgres
from tests.attacks.gateway.crowded import LIST, Attacked, answer, attacked, head, path_of
from tests.waiting import wait_for

PATIENCE_S = 2
LONG_S = 60  # four times a client's patience: who waits for a place that is held is not served
THREADS = 48  # of some nine hundred, which the attackers would have to occupy first
HOOK = f"/hooks/wuzapi/{uuid4()}"
SIGNED = f"x-hmac-signature: {secrets.token_hex(32)}"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 300_000


@contextlib.contextmanager
def running(
    directory: Path, postgres_server: EmbeddedPostgres, template_database: str, redis_url: str, patience_s: int
) -> Iterator[Attacked]:
    """One worker, which gets all of it, with few threads."""
    variables = {
        "CROSSFADE_GATEWAY_WORKERS": "1",
        "CROSSFADE_STORAGE": "directory",
        "CROSSFADE_STORAGE_DIR": str(directory / "files"),
        "CROSSFADE_SECRETS_KEY": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "GUNICORN_CMD_ARGS": f"--threads {THREADS}",
        "CROSSFADE_REQUEST_TIMEOUT_S": str(patience_s),
    }
    with attacked(directory, postgres_server, template_database, f"{redis_url}?db=11", **variables) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: EmbeddedPostgres, template_database: str, redis_url: str
) -> Iterator[Attacked]:
    directory = tmp_path_factory.mktemp("slow-clients")
    with running(directory, postgres_server, template_database, redis_url, PATIENCE_S) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def patient(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: EmbeddedPostgres, template_database: str, redis_url: str
) -> Iterator[Attacked]:
    directory = tmp_path_factory.mktemp("patient")
    with running(directory, postgres_server, template_database, redis_url, LONG_S) as gateway:
        yield gateway


@pytest.mark.parametrize("size", [1_000, 8_000_000])
def test_silent_bodies_stop_nobody(patient: Attacked, size: int) -> None:
    """Webhooks without a key that send one byte and stop: more than there are threads, and nobody notices."""
    sent = head("POST", HOOK, SIGNED, "Content-Type: application/json", f"Content-Length: {size}") + b"{"
    with patient.sockets(4 * THREADS, sent):
        patient.bystander_is_served()


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


def test_slow_uploads_hold_no_place(patient: Attacked) -> None:
    """More honest photo uploads than there are places, all half done: everybody else is served, then they finish."""
    ready = []
    for _ in range(16):
        new = {"fileName": "a.png", "contentType": "image/png", "sizeBytes": len(PNG)}
        status, document, _ = patient.server.request("POST", "/api/v1/chat/attachments", patient.key, new)
        assert status == 201
        ready.append(path_of(document["data"]["upload"]["url"]))
    with patient.sockets(16) as clients:
        for client, path in zip(clients, ready, strict=True):
            client.sendall(head("PUT", path, f"Content-Length: {len(PNG)}", "Connection: close") + PNG[:100_000])
        patient.bystander_is_served()
        for client in clients:
            client.sendall(PNG[100_000:])
        assert {answer(client)[:12] for client in clients} == {b"HTTP/1.1 200"}


def test_slow_imports_hold_no_place(patient: Attacked) -> None:
    """As many of one account, half done: its other requests are served as well, and then they are answered."""
    lines = (f"X-API-Key: {patient.key}", "Content-Type: application/json", "Content-Length: 200000")
    begun = head("POST", f"{LIST}/1/messages:import", *lines, "Connection: close") + b" " * 100_000
    with patient.sockets(16, begun) as clients:
        patient.bystander_is_served()
        for client in clients:
            client.sendall(b" " * 100_000)
        assert {answer(client)[:12] for client in clients} == {b"HTTP/1.1 400"}, "read whole, and no JSON"


def test_an_answer_is_kept_for_whoever_comes_to_it_late(gateway: Attacked) -> None:
    """It has a second for each 8 kB, beside the seconds of every request."""
    ask = head("GET", "/api/v1/openapi.json")
    with gateway.sockets(
        1, ask * 23 + head("GET", "/api/v1/openapi.json", "Connection: close"), receive_bytes=2_048
    ) as (client,):
        time.sleep(PATIENCE_S + 2)
        assert answer(client).count(b"HTTP/1.1 200 ") == 24


def test_an_answer_that_nobody_takes_holds_no_thread(patient: Attacked) -> None:
    """More clients than there are threads ask again and again for the largest page without a key, and read nothing."""
    with patient.sockets(4 * THREADS, head("GET", "/api/v1/openapi.json") * 24, receive_bytes=2_048):
        (worker,) = psutil.Process(patient.server.process.pid).children()
        wait_for(lambda: worker.cpu_percent(0.5) < 20, "all to have been begun", 30)
        patient.bystander_is_served()
