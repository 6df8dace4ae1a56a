"""Runs the matrix of the official JavaScript clients: under Node, and in headless Chromium when it is installed."""

import contextlib
import http.server
import json
import os
import queue
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

from tests.acceptance.local_supabase.guest import Guest
from tests.clients.packages import NODE, install

HERE = Path(__file__).parents[2] / "clients" / "local_supabase"
MATRIX_TIMEOUT_S = 100
Report = dict[str, Any]


def run_under_node(package: str, guest: Guest) -> list[Report]:
    """Return what the matrix reports for an npm package."""
    install(HERE)
    with subprocess.Popen(
        [str(NODE), "node_matrix.mjs"], cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        watchdog = threading.Timer(MATRIX_TIMEOUT_S, process.kill)
        watchdog.start()
        try:
            return _converse(process, guest.options(package=package), guest)
        finally:
            watchdog.cancel()
            process.kill()


def administer(guest: Guest) -> Report:
    """Return what an administrator with supabase-js saw."""
    install(HERE)
    facts = guest.running.facts
    command = [str(NODE), "admin.mjs", facts.api_url, facts.secret_key]
    run = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=MATRIX_TIMEOUT_S, check=False)
    assert run.returncode == 0, run.stderr
    seen: Report = json.loads(run.stdout)
    return seen


def _converse(process: subprocess.Popen[str], options: dict[str, Any], guest: Guest) -> list[Report]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(options) + "\n")
    reports: list[Report] = []
    for text in process.stdout:
        line = json.loads(text)
        if "ask" in line:
            process.stdin.write(json.dumps(guest.answer(line["ask"])) + "\n")
        elif "done" in line:
            return reports
        else:
            reports.append(line)
    raise AssertionError(f"the script ended early, after {reports}")


def run_in_chromium(chromium: str, package: str, guest: Guest, profile: Path) -> list[Report]:
    """Return what the matrix reports from a page in a headless browser."""
    install(HERE)
    reports: queue.Queue[Report] = queue.Queue()
    page = _Page(package, guest, reports)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), page.handler()) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        command = [chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        command += ["--no-first-run", f"--user-data-dir={profile}", f"http://127.0.0.1:{server.server_port}/"]
        quiet = subprocess.DEVNULL
        with subprocess.Popen(command, stdout=quiet, stderr=quiet, start_new_session=True) as browser:
            try:
                return _collect(reports)
            finally:
                os.killpg(browser.pid, signal.SIGKILL)  # with all of its helpers
                server.shutdown()


def _collect(reports: "queue.Queue[Report]") -> list[Report]:
    collected: list[Report] = []
    while True:
        try:
            report = reports.get(timeout=MATRIX_TIMEOUT_S)
        except queue.Empty:
            raise AssertionError(f"the page went silent after {collected}") from None
        if "done" in report:
            return collected
        collected.append(report)


class _Page:
    """Serves the page, the library and the answers to the script's questions."""

    def __init__(self, package: str, guest: Guest, reports: "queue.Queue[Report]") -> None:
        self._files = {
            "/": (HERE / "browser_matrix.html", "text/html"),
            "/matrix.mjs": (HERE / "matrix.mjs", "text/javascript"),
            "/library.js": (HERE / "node_modules" / package / "dist" / "umd" / "supabase.js", "text/javascript"),
        }
        self._guest = guest
        self._reports = reports

    def get(self, path: str) -> tuple[bytes, str] | None:
        if path == "/options":
            return json.dumps(self._guest.options()).encode(), "application/json"
        found = self._files.get(path)
        return None if found is None else (found[0].read_bytes(), found[1])

    def post(self, path: str, body: Report) -> Report:
        if path == "/ask":
            return self._guest.answer(body)
        self._reports.put(body)
        return {}

    def handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        page = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._send(page.get(self.path))

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self._send((json.dumps(page.post(self.path, body)).encode(), "application/json"))

            def _send(self, content: tuple[bytes, str] | None) -> None:
                with contextlib.suppress(ConnectionError):
                    self.send_response(200 if content else 404)
                    self.send_header("Content-Type", content[1] if content else "text/plain")
                    self.end_headers()
                    self.wfile.write(content[0] if content else b"")

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the parent's name for it
                """Stay silent."""

        return Handler
