"""Crowds without a key, or with keys that nobody knows: they hold nothing that whoever has one needs."""

import contextlib
import json
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from gateway.domain import key_text
from gateway.gates.api_key import LOOKUP_WAIT_S
from gateway.keys.cache import TRUST_S
from ops.machine.postgres import EmbeddedPostgres
from tests.attacks.gateway.crowded import LIST, Attacked, answer, attacked, head
from tests.factories import make_conversation, make_key, make_user
from tests.servers.wuzapi_server import HMAC_KEY

JSON = "Content-Type: application/json"
WUZAPI_URL = "http://wuzapi.test:8080"
FALLEN_ASLEEP = """
    alter table chat_api_keys rename to awake;
    create view chat_api_keys as select key.* from (select pg_sleep(1.2) as sleep offset 0) as slow,
        lateral (select * from awake where slow.sleep is not null offset 0) as key
"""
WOKEN = "drop view chat_api_keys; alter table awake rename to chat_api_keys"


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: EmbeddedPostgres, template_database: str, redis_url: str
) -> Iterator[Attacked]:
    """One worker, which gets all of it, with as few threads as may be."""
    variables = {
        "CROSSFADE_GATEWAY_WORKERS": "1",
        "CROSSFADE_MAX_WAITERS": "8",
        "CROSSFADE_REQUEST_TIMEOUT_S": "30",
        "CROSSFADE_SECRETS_KEY": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "CROSSFADE_WUZAPI_URLS": WUZAPI_URL,
    }
    directory: Path = tmp_path_factory.mktemp("keyless")
    with attacked(directory, postgres_server, template_database, f"{redis_url}?db=14", **variables) as running:
        yield running


def test_half_bodies_without_a_key_cut_nobody(gateway: Attacked) -> None:
    """Beside 1,200 of 16 kB that never go on, thirty honest bodies of 40 kB are taken whole: slow ones, half of which
    were there before, and half come then.
    """
    conversation = make_conversation(gateway.conn, gateway.account)
    body = _messages(40_000)
    lines = (f"X-API-Key: {gateway.key}", JSON, f"Content-Length: {len(body)}", "Connection: close")
    begun = head("POST", f"{LIST}/{conversation}/messages:import", *lines) + body[:30_000]
    with gateway.sockets(15, begun) as early, contextlib.ExitStack() as crowd:
        for path in (LIST, f"/hooks/wuzapi/{uuid4()}", "/api/v1/openapi.json"):
            half = head("POST", path, JSON, "Content-Length: 40000") + b"{" * 16_000
            crowd.enter_context(gateway.sockets(400, half))
        gateway.bystander_is_served()  # and by then the crowd was read
        for client in (*early, *crowd.enter_context(gateway.sockets(15, begun))):
            client.sendall(body[30_000:])
            assert answer(client)[:12] == b"HTTP/1.1 200"


def test_unproven_webhooks_take_no_place_of_a_key(gateway: Attacked) -> None:
    """Whoever knows eight channels of an account begins a photo for each: others' imports and photos go on."""
    known = make_key(gateway.conn, make_user(gateway.conn))
    conversation = make_conversation(gateway.conn, gateway.account)
    signed = (JSON, f"x-hmac-signature: {secrets.token_hex(32)}")
    with contextlib.ExitStack() as crowd:
        for _ in range(8):
            photo = head("POST", _make_channel(gateway, known), *signed, "Content-Length: 8000000") + b"{" * 70_000
            crowd.enter_context(gateway.sockets(1, photo))
        path = f"{LIST}/{conversation}/messages:import"
        document = json.loads(_messages(1_000_000))
        assert [gateway.server.request("POST", path, gateway.key, document)[0] for _ in range(8)] == [200] * 8
        own = {"event": "x" * 7_000_000}
        wrong = {"x-hmac-signature": secrets.token_hex(32)}
        status = gateway.server.request("POST", _make_channel(gateway, gateway.key), None, own, wrong)[0]
        assert status == 401, "it was read"


def test_a_webhook_that_may_not_be_signed_is_refused_before_its_body(gateway: Attacked) -> None:
    """Its channel is known, and eight megabytes are waited for by nobody: they would prove nothing."""
    path = _make_channel(gateway, make_key(gateway.conn, make_user(gateway.conn)))
    for lines in ((), ("x-hmac-signature: none",)):
        with gateway.sockets(1, head("POST", path, JSON, *lines, "Content-Length: 8000000")) as (client,):
            said = answer(client)
        assert said.startswith(b"HTTP/1.1 401 "), said
        assert b"signature_invalid" in said


def _messages(size_bytes: int) -> bytes:
    message = {"direction": "incoming", "createdAt": "2026-01-01T00:00:00Z", "content": "x" * 3_900}
    return json.dumps({"messages": [message] * (size_bytes // 4_000)}).encode()


def _make_channel(gateway: Attacked, key: str) -> str:
    new = {"name": secrets.token_hex(4), "baseUrl": WUZAPI_URL, "token": "t", "hmacKey": HMAC_KEY}
    status, document, _ = gateway.server.request("POST", "/api/v1/chat/channels", key, new)
    assert status == 201, document
    return str(document["data"]["webhookPath"])


def _guesses() -> bytes:
    return head("GET", LIST, f"X-API-Key: {key_text.mint('test').text}")


def test_guesses_hold_no_probe_up(gateway: Attacked) -> None:
    """With the key table locked, more of them than there are threads: `/livez` has a thread of its own."""
    with contextlib.ExitStack() as crowd, gateway.conn.transaction():
        gateway.conn.execute("lock table chat_api_keys in access exclusive mode")
        for _ in range(700):
            crowd.enter_context(gateway.sockets(1, _guesses()))
        asked_at = time.monotonic()
        assert gateway.server.request("GET", "/livez")[0] == 200
        waited_s = time.monotonic() - asked_at
        waits = "select count(*) as n from pg_locks where not granted and relation = 'chat_api_keys'::regclass"
        row = gateway.conn.execute(waits).fetchone()
    assert waited_s < LOOKUP_WAIT_S, "it did not wait until the guesses had given up"
    assert row is not None
    assert 0 < row["n"] <= 4, "while guesses were looked for"


def test_guesses_hold_no_known_key_up(gateway: Attacked) -> None:
    """With a key table that takes 1.2 s for each look: who was known before is looked for beside them, not behind."""
    assert gateway.server.request("GET", LIST, gateway.key)[0] == 200
    gateway.conn.execute(FALLEN_ASLEEP)
    try:
        time.sleep(2 * TRUST_S)  # what was known of the key is believed no longer
        with contextlib.ExitStack() as crowd:
            for _ in range(450):
                crowd.enter_context(gateway.sockets(1, _guesses()))
            asked_at = time.monotonic()
            assert gateway.server.request("GET", LIST, gateway.key)[0] == 200
            assert time.monotonic() - asked_at < LOOKUP_WAIT_S, "it did not wait until the guesses had given up"
    finally:
        gateway.conn.execute(WOKEN)


@pytest.mark.parametrize(("count", "sent"), [(1_000, b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Part: "), (2_000, b"")])
def test_half_heads_and_silence_stop_nobody(gateway: Attacked, count: int, sent: bytes) -> None:
    """More half-said heads than there are threads, or more silent connections than are taken at all: the longest go."""
    with gateway.sockets(count, sent):
        gateway.bystander_is_served()


def test_without_descriptors_the_longest_silent_makes_room(gateway: Attacked) -> None:
    """Also when it speaks at that very moment, which a worker that was busy sees together with the newcomer."""
    gateway.bystander_is_served()
    workers = psutil.Process(gateway.server.process.pid).children()
    before = [worker.rlimit(psutil.RLIMIT_NOFILE) for worker in workers]
    for worker, (_, hard) in zip(workers, before, strict=True):
        worker.rlimit(psutil.RLIMIT_NOFILE, (worker.num_fds() + 50, hard))
    try:
        with gateway.sockets(200):
            gateway.bystander_is_served()
        for _ in range(8):
            _newcomers_and_silent_speak_at_once(gateway, workers)
    finally:
        for worker, limits in zip(workers, before, strict=True):
            worker.resume()
            worker.rlimit(psutil.RLIMIT_NOFILE, limits)
    assert psutil.Process(gateway.server.process.pid).children() == workers, "none had to be replaced"


def _newcomers_and_silent_speak_at_once(gateway: Attacked, workers: list[psutil.Process]) -> None:
    with gateway.sockets(200) as silent:
        for worker in workers:
            worker.suspend()
        with gateway.sockets(10):
            for client in silent:
                with contextlib.suppress(OSError):
                    client.sendall(b"G")
            for worker in workers:
                worker.resume()
            gateway.bystander_is_served(1)
