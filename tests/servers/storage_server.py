"""A stand-in for Supabase Storage that speaks as much of its HTTP as attachments need. For the official client."""

import json
import re
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(slots=True)
class StorageServer:
    """`files` by bucket and path; `broken` answers 503 to everything; `meanwhile` runs during each of our calls."""

    url: str = ""
    secret_key: str = "secret-key"
    files: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    broken: bool = False
    meanwhile: Callable[[], None] = lambda: None


@contextmanager
def serve_storage() -> Iterator[StorageServer]:
    storage = StorageServer()
    handler = type("Handler", (_Handler,), {"storage": storage})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    storage.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield storage
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


class _Handler(BaseHTTPRequestHandler):
    storage: StorageServer

    def do_POST(self) -> None:
        path = self._route()
        if match := re.fullmatch(r"/object/(upload/)?sign/(.+)", path):
            if not self._has_key():
                return
            upload, name = match.groups()
            if not upload and name not in self.storage.files:
                self._say(400, {"statusCode": "404", "error": "not_found", "message": "Object not found"})
                return
            token = secrets.token_hex(8)
            self.storage.tokens[token] = name
            self._say(200, {"url" if upload else "signedURL": f"{path}?token={token}"})

    def do_PUT(self) -> None:
        if not self._route().startswith("/object/upload/"):
            self._replace()
            return
        name = self._signed("/object/upload/sign/")
        if name is None:
            return
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if name in self.storage.files:
            self._say(400, {"statusCode": "409", "error": "Duplicate", "message": "The resource already exists"})
            return
        self.storage.files[name] = (content, self.headers["Content-Type"])
        self._say(200, {"Key": name})

    def _replace(self) -> None:
        """As the service role: a form with the file in it."""
        name = self._route().removeprefix("/object/")
        form = self.rfile.read(int(self.headers["Content-Length"]))
        if self._has_key():
            header = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
            parts = message_from_bytes(header + form).walk()
            content = next(part.get_payload(decode=True) for part in parts if part.get_filename())
            assert isinstance(content, bytes)
            self.storage.files[name] = (content, self.headers["Content-Type"])
            self._say(200, {"Key": name})

    def do_GET(self) -> None:
        name = self._signed("/object/sign/")
        if name is None:
            return
        content, content_type = self.storage.files[name]
        first, last = 0, len(content) - 1
        if match := re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")):
            first, last = int(match[1]), min(int(match[2]), last)
        part = content[first : last + 1]
        self.send_response(206 if match else 200)
        if match:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part)

    def do_DELETE(self) -> None:
        bucket = self._route().removeprefix("/object/")
        if self._has_key():
            names = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["prefixes"]
            for name in names:
                self.storage.files.pop(f"{bucket}/{name}", None)
            self._say(200, [{"name": name} for name in names])

    def _route(self) -> str:
        return urlsplit(self.path).path.removeprefix("/storage/v1")

    def _has_key(self) -> bool:
        self.storage.meanwhile()
        if self.storage.broken:
            self._say(503, {"statusCode": "503", "error": "unavailable", "message": "try later"})
            return False
        allowed = self.headers.get("Authorization") == f"Bearer {self.storage.secret_key}"
        if not allowed:
            self._say(400, {"statusCode": "403", "error": "Unauthorized", "message": "jwt malformed"})
        return allowed

    def _signed(self, prefix: str) -> str | None:
        name = self._route().removeprefix(prefix)
        token = parse_qs(urlsplit(self.path).query).get("token", [""])[0]
        if self.storage.tokens.get(token) == name:
            return name
        self._say(400, {"statusCode": "403", "error": "InvalidSignature", "message": "bad token"})
        return None

    def _say(self, status: int, body: Any) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the name is http.server's
        """Say nothing."""
