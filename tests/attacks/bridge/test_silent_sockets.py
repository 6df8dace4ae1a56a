"""More connections to the bridge than it has descriptors for, none of which ever says who it is."""

import contextlib
import itertools
import json
import socket
import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
import requests
from psycopg.rows import DictRow

from ops.local_supabase.settings import CLI_JWT_SECRET
from realtime_bridge.shared.secrets import SecretBox
from tests.attacks.bridge import bridge_process
from tests.attacks.gateway.crowded import head
from tests.factories import append_message, make_conversation, make_user, make_webhook
from tests.integration.legacy.clients import Client, Clients
from tests.integration.legacy.conftest import database_url, legacy_url  # noqa: F401 - fixtures
from tests.integration.legacy.harness import token
from tests.waiting import wait_for

# ruff: noqa: F811 - what is imported above is named as an argument below
DESCRIPTORS, SOCKETS = 1_024, 2_000
KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
SAYINGS = (
    b"",
    b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Part: ",
    head("POST", "/api/ws/?EIO=4&transport=polling", "Content-Length: 60000") + b"4",
    head(
        "GET",
        "/api/ws/?EIO=4&transport=websocket",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    ),
)
"""Nothing, half a head, half a body, and an open without a token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attacked:
    """A bridge with few descriptors, whom a user's socket and a webhook listen to."""

    port: int
    log: Path
    received: Path
    account: UUID
    conversation_id: int
    clients: Clients

    def answers(self, path: str) -> bool:
        """Ask as a probe does: on a connection of its own, and not for long."""
        try:
            return requests.get(f"http://127.0.0.1:{self.port}{path}", timeout=10).ok
        except requests.RequestException:
            return False

    def connect(self) -> Client:
        client = self.clients.open(
            f"http://127.0.0.1:{self.port}", {"token": token(self.account, secret=CLI_JWT_SECRET)}
        )
        client.wait("connect")
        assert client.subscribe(self.conversation_id)["ok"]
        return client


@pytest.fixture
def attacked(
    database_url: str, conn: psycopg.Connection[DictRow], redis_url: str, tmp_path: Path
) -> Iterator[Attacked]:
    account = make_user(conn)
    conversation = make_conversation(conn, account)
    words = [sys.executable, "-m", "tests.servers.instant_receiver", str(tmp_path)]
    with Clients() as clients, subprocess.Popen(words) as receiver:
        wait_for((tmp_path / "port").exists, "the receiver")
        url = f"http://127.0.0.1:{(tmp_path / 'port').read_text()}/hook"
        box = SecretBox([b64decode(KEY)])
        make_webhook(conn, account, url, box)
        variables = {
            "CHAT_REALTIME_PROVIDER": "socketio",
            "REDIS_URL": f"{redis_url}?db=13",
            "CROSSFADE_SECRETS_KEY": KEY,
            "CROSSFADE_WEBHOOK_PLAIN_HTTP": "yes",
            "CROSSFADE_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        }
        try:
            with bridge_process.bridge(
                database_url, "http://127.0.0.1:1", tmp_path, descriptors=DESCRIPTORS, **variables
            ) as process:
                port = int(next(tmp_path.glob("bridge-*.log")).stem.partition("-")[2])
                yield Attacked(
                    port=port,
                    log=tmp_path / f"bridge-{port}.log",
                    received=tmp_path / "received",
                    account=account,
                    conversation_id=conversation,
                    clients=clients,
                )
                assert process.poll() is None
        finally:
            receiver.terminate()


@contextlib.contextmanager
def crowd(port: int, count: int) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for _, sent in zip(range(count), itertools.cycle(SAYINGS), strict=False):
            one = stack.enter_context(socket.socket())
            one.settimeout(15)
            one.connect(("127.0.0.1", port))
            with contextlib.suppress(ConnectionError):  # the bridge has ended it already
                one.sendall(sent)
        yield


def test_silent_sockets_stop_nobody(attacked: Attacked, conn: psycopg.Connection[DictRow]) -> None:
    """Probes are answered, who is known stays and hears, webhooks go out, newcomers come in; the log stays short."""
    client = attacked.connect()
    with crowd(attacked.port, SOCKETS):
        for number in range(1, 4):
            assert attacked.answers("/livez"), "on the first try"
            assert attacked.answers("/readyz"), "on the first try"
            append_message(conn, attacked.conversation_id, f"beside them {number}")
            assert client.wait_event("message", number)["content"] == f"beside them {number}"
        wait_for(lambda: attacked.received.read_text().count("/hook") >= 3, "the webhooks")
        attacked.connect()
    assert client.count("disconnect") == 0
    lines = [json.loads(line)["event"] for line in attacked.log.read_text().splitlines()]
    assert lines.count("silent connections make room for others") == 1
    assert len(lines) < 50, lines
