"""A newcomer's webhook on a running `crossfade up`, verified by the official libraries of two languages."""

import base64
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import standardwebhooks
import svix.webhooks

from realtime_bridge.webhooks.receiver import verify
from tests.acceptance.stack import running
from tests.clients.node import NodeScript
from tests.waiting import wait_for

Received = list[tuple[dict[str, str], bytes]]


@pytest.fixture
def subscriber() -> Iterator[tuple[str, Received]]:
    """A receiver on this machine: its URL and what it was sent."""
    received: Received = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/hooks", received
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.slow
def test_the_official_verifiers_accept_what_up_sends(tmp_path: Path, subscriber: tuple[str, Received]) -> None:
    """Ping, message and rotation: standardwebhooks and svix for Python and standardwebhooks for JavaScript agree."""
    url, received = subscriber
    with running(tmp_path / "data") as stack:
        ready = stack.ready
        session = requests.Session()
        session.headers["X-API-Key"] = ready["apiKey"]
        base = f"{ready['gatewayUrl']}/api/v1/chat"
        made = session.post(f"{base}/webhooks", json={"url": url, "eventTypes": ["message.*"]}, timeout=10).json()[
            "data"
        ]
        wait_for(lambda: len(received) == 1, "the ping")
        rotated = session.post(f"{base}/webhooks/{made['id']}/secrets", json={}, timeout=10).json()["data"]
        sent = session.post(
            f"{base}/conversations/{ready['conversationId']}/messages", json={"content": "hello ✓"}, timeout=10
        ).json()["data"]
        wait_for(lambda: len(received) == 2, "the message")
        attempts = wait_for(
            lambda: session.get(f"{base}/webhooks/{made['id']}/attempts?type=message.new", timeout=10).json()["data"],
            "the attempt's record",
        )
    (ping_headers, ping_body), (headers, body) = received
    assert verify(ping_body, ping_headers, made["secret"])["type"] == "webhook.ping"
    event = json.loads(body)
    assert event["data"] == sent
    assert attempts[0]["response"]["body"] == "ok"
    standard = {name: headers[name] for name in ("webhook-id", "webhook-timestamp", "webhook-signature")}
    for secret in (made["secret"], rotated["secret"]):
        assert standardwebhooks.Webhook(secret).verify(body, standard) == event
        svix.webhooks.Webhook(secret).verify(body, standard)
    flipped = body.replace(b"hello", b"hellp")
    stale = standard | {"webhook-timestamp": str(int(standard["webhook-timestamp"]) - 1_000)}
    with NodeScript("webhooks/verify.mjs") as script:
        for secret, sent_headers, sent_body, accepted in [
            (made["secret"], standard, body, True),
            (rotated["secret"], standard, body, True),
            (rotated["secret"], standard, flipped, False),
            (rotated["secret"], stale, body, False),
            ("whsec_" + base64.b64encode(b"f" * 32).decode(), standard, body, False),
        ]:
            line = {"secret": secret, "headers": sent_headers, "body": base64.b64encode(sent_body).decode()}
            script.send(**line)
            answer = script.next_line()
            assert answer.get("event") == (event if accepted else None), answer
