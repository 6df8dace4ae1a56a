"""A headless Chromium that a test looks at a page with, over the DevTools protocol: no driver, no other package."""

import base64
import contextlib
import itertools
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from tests.clients.packages import HERE, install
from tests.waiting import wait_for

KEYS = {"Tab": 9}
AXE = HERE / "node_modules" / "axe-core" / "axe.min.js"

START_S = 30.0
STOP_S = 10.0
ANSWER_S = 80.0  # axe looks at some thousand elements: seconds, or half a minute on a machine with much else to do
PHONE, DESK = 390, 1280


class Browser:
    """One page. `run` evaluates an expression in it, awaited where it is a promise."""

    def __init__(self, socket: Connection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)

    def open(self, url: str, *, width: int, height: int = 900) -> None:
        """Load a page in a window of this size; it is there when this returns."""
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self._call("Page.navigate", url=url)
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    def run(self, expression: str) -> Any:
        found = self._call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait until the expression is true."""
        wait_for(lambda: bool(self.run(f"Boolean({expression})")), expression, ANSWER_S)

    def press(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            self._call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=KEYS[key])

    def faults(self) -> list[str]:
        """Return what axe finds wrong with the page as it is now, everything unfolded, on bright paper and on dark."""
        install()
        self.run(f"{AXE.read_text()}; for (const one of document.querySelectorAll('details')) one.open = true")
        return [*self._found("light", ""), *self._found("dark", "runOnly: ['color-contrast']")]

    def _found(self, scheme: str, options: str) -> list[str]:
        self._call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        found: list[str] = self.run(
            f"axe.run({{ resultTypes: ['violations'], {options} }})"
            ".then(({ violations }) => violations.flatMap(({ id, nodes }) =>"
            f" nodes.map(({{ target, failureSummary }}) => `{scheme}: ${{id}} ${{target}}: ${{failureSummary}}`)))"
        )
        return found

    def picture(self, file: Path) -> None:
        """Keep what is to be seen, for a person to look at."""
        file.write_bytes(base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"]))

    def close(self) -> None:
        """End the browser with all of its processes; one that is killed leaves some of them for a moment."""
        self._call("Browser.close")

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv(ANSWER_S))
            if answer.get("id") == number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result


def find_chromium() -> str:
    """Path of the browser that `apt-get install chromium` puts there."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert found is not None, "apt-get install chromium: this test needs a browser"
    return found


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """Start a browser with a profile of its own; both are gone after the block."""
    with tempfile.TemporaryDirectory(prefix="crossfade-browser-", ignore_cleanup_errors=True) as profile:
        command = [find_chromium(), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        command += [f"--user-data-dir={profile}", "--remote-debugging-port=0", "--no-proxy-server", "about:blank"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                file = Path(profile) / "DevToolsActivePort"
                wait_for(lambda: file.exists() and len(file.read_text().splitlines()) == 2, "the browser", START_S)
                with connect(_page_of(file.read_text().splitlines()[0]), max_size=None, compression=None) as socket:
                    page = Browser(socket)
                    yield page
                    page.close()
                    process.wait(STOP_S)
            finally:
                process.kill()


def _page_of(port: str) -> str:
    with requests.Session() as session:
        session.trust_env = False
        pages = session.get(f"http://127.0.0.1:{port}/json/list", timeout=ANSWER_S).json()
    return str(next(one["webSocketDebuggerUrl"] for one in pages if one["type"] == "page"))
