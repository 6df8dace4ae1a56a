"""Hostile messages in a real browser: what our own example shows of them, and that they would act without it."""

import http.server
import json
import os
import queue
import re
import signal
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.openapi.pages.guide import SHOWING
from realtime_bridge.shared.content_html import ATTRIBUTES, TAGS
from tests.browser import find_chromium
from tests.integration.gateway.conftest import Account, data
from tests.servers.gateway_server import ROOT
from tests.waiting import wait_for
from tests.xss_corpus import CORPUS

PAGE = ROOT / "tests" / "clients" / "safe_form" / "page.html"
RAW = "function show(list, message) { const item = document.createElement('li'); item.innerHTML = message.content; list.append(item) }"  # noqa: E501 - one line of JavaScript
TIMEOUT_S = 60.0


class Visit:
    """One page in one browser: what it was given, what it reports, and what it fetched from us besides."""

    def __init__(self, show: str, messages: Sequence[dict[str, Any]]) -> None:
        self.given = {
            "show": show,
            "messages": list(messages),
            "tags": sorted(TAGS),
            "attributes": ["rel", *ATTRIBUTES["a"]],
        }
        self.fetched: list[str] = []
        self._reports: queue.Queue[dict[str, Any]] = queue.Queue()

    def pay(self, profile: Path) -> dict[str, Any]:
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler()) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            command = [find_chromium(), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
            command += ["--no-first-run", f"--user-data-dir={profile}", f"http://127.0.0.1:{server.server_port}/"]
            quiet = subprocess.DEVNULL
            with subprocess.Popen(command, stdout=quiet, stderr=quiet, start_new_session=True) as browser:
                try:
                    return self._reports.get(timeout=TIMEOUT_S)
                finally:
                    os.killpg(browser.pid, signal.SIGKILL)  # with all of its helpers
                    server.shutdown()

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        visit = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                known = {
                    "/": (PAGE.read_bytes(), "text/html"),
                    "/given": (json.dumps(visit.given).encode(), "application/json"),
                }
                visit.fetched.append(self.path)
                body, kind = known.get(self.path, (b"", "text/plain"))
                self._send(200 if self.path in known else 404, body, kind)

            def do_POST(self) -> None:
                visit._reports.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self._send(200, b"{}", "application/json")

            def _send(self, status: int, body: bytes, kind: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """The test's output is its own."""

        return Handler


@pytest.fixture
def hostile(account: Account) -> list[dict[str, Any]]:
    """The corpus as events of an account that asked for the safe form."""
    account.patch("/account", {"contentHtml": True})
    conversation = account.make_conversation()
    wait_for(lambda: "contentHtml" in account.send(conversation), "the account's choice")
    after = account.get("/events?after=latest").get_json()["pagination"]["nextCursor"]
    for content in CORPUS:
        account.send(conversation, content)
    return [event["data"] for event in data(account.get(f"/events?after={after}&limit=500"))]


def test_our_example_is_safe(hostile: list[dict[str, Any]], tmp_path: Path) -> None:
    """As it stands in the README and at /docs: nothing is called, loaded or left, with the safe form and with text."""
    assert f"```js\n{SHOWING}```" in (ROOT / "README.md").read_text()
    plain = [{"content": message["content"]} for message in hostile]
    visit = Visit(SHOWING, [*hostile, *plain])
    report = visit.pay(tmp_path)
    assert (report["called"], report["strange"]) == ([], [])
    assert report["shown"] == 2 * len(CORPUS)
    assert report["bold"] >= 2
    assert [path for path in visit.fetched if path not in ("/", "/given", "/nothing", "/favicon.ico")] == []


def test_the_corpus_is_alive(hostile: list[dict[str, Any]], tmp_path: Path) -> None:
    """Put on the page as written, the same messages act: or the test before would prove nothing."""
    staying = [message for message in hostile if not re.search(r"http-equiv|<base|<form|<link", message["content"])]
    report = Visit(RAW, staying).pay(tmp_path)
    assert len(report["called"]) >= 20  # of 44; the rest need a click, an older browser, or a page that is parsed whole
    assert report["strange"]
