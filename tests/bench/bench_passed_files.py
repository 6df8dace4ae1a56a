"""Through which of our files a message goes: from the POST to Supabase and to Socket.IO, and on to a webhook.

Run by hand: `.venv/bin/python -m tests.bench.bench_passed_files`. It starts a stack whose gateway and bridge run under
a profiler (profiled/sitecustomize.py), lets a webhook and an official client hear of a message, and prints the files
that held its text: parsed, stored, read, translated, encoded it or handed it on. Whoever wakes, counts or checks
something else meanwhile is not among them.
"""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import requests

from tests.acceptance.stack import Stack, open_place, running
from tests.clients.node import NodeScript
from tests.waiting import wait_for

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TEXT = "What goes through all these files?"
POST, WIRE = "Worker.handle_request", "GuardedWebSocket.send"
WAYS = {  # by name: the steps of the profiler, and how many files are enough
    "POST to Supabase": ((POST, "supabase"), 15),
    "POST to Socket.IO": ((POST, "legacy", WIRE), 21),
    "event to webhook": (("webhooks", "WebhookSender.claim"), 15),
}


@contextmanager
def receiver() -> Iterator[tuple[str, list[bytes]]]:
    """Yield an endpoint's URL, and the bodies that it was sent."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", bodies
        server.shutdown()


@contextmanager
def listener(ready: dict[str, Any]) -> Iterator[NodeScript]:
    """Yield an official client that listens to the demo conversation over a websocket."""
    options = {"auth": {"token": ready["users"][0]["token"]}, "transports": ["websocket"]}
    asked = {"url": ready["bridgeUrl"], "subscribe": [str(ready["conversationId"])], "only": "message"}
    with NodeScript("legacy/driver.mjs") as script:
        script.send(do="open", socket="one", options=options, **asked)
        script.wait_for(lambda line: line["is"] == "connect")
        yield script


def send_and_hear(stack: Stack) -> None:
    ready, key = stack.ready, stack.create_key(scopes="chat:read,chat:write,webhooks:manage")
    api, headers = f"{ready['gatewayUrl']}/api/v1/chat", {"X-API-Key": key}

    def post(path: str, **body: object) -> None:
        requests.post(f"{api}{path}", json=body, headers=headers, timeout=20).raise_for_status()

    with receiver() as (url, bodies), listener(ready) as client:
        post("/webhooks", url=url, eventTypes=["message.*"])
        post(f"/conversations/{ready['conversationId']}/messages", content=TEXT)
        client.wait_for(lambda line: line["is"] == "event")
        wait_for(lambda: any(TEXT.encode() in body for body in bodies), "the webhook", 30)


def main() -> None:
    with open_place() as place:
        found = place / "found"
        found.mkdir()
        environment = {
            "PYTHONPATH": os.pathsep.join((str(HERE / "profiled"), str(ROOT))),
            "PASSED_ROOT": str(ROOT),
            "PASSED_TEXT": TEXT,
            "PASSED_FILES": str(found),
        }
        with running(place / "data", environment=environment) as stack:
            send_and_hear(stack)
        lines = [line.split("\t") for file in found.iterdir() for line in file.read_text().splitlines()]
    for way, (steps, enough) in WAYS.items():
        passed = list(dict.fromkeys(file for step in steps for name, file in lines if name == step))
        text = [f"{way}: {len(passed)} files, {enough} at most", *passed]
        sys.stdout.write("\n  ".join(text) + "\n")


if __name__ == "__main__":
    main()
