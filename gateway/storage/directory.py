"""The embedded file store: a directory, for one machine. Its signed URLs lead to `gateway/v1/files.py`.

The contract is Supabase Storage's: a signed URL takes one PUT, a second one is refused, and what was put there stays.
"""

import base64
import binascii
import contextlib
import hashlib
import hmac
import json
import os
import secrets
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gateway.errors import Conflict, NotFound, PayloadTooLarge
from gateway.storage.base import REJECTED, UPLOAD_TTL_S, Upload

PATH = "/files"
KEY_FILE = ".signing-key"
NO_SUCH = "The URL is not valid, or no longer; ask for a new one."


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What a signed URL allows: `put` or `get` of one key, until a moment in seconds since 1970."""

    verb: str
    key: str
    content_type: str
    size_bytes: int = 0
    file_name: str = ""
    ends_at: int


class DirectoryStore:
    def __init__(self, root: Path, clock: Callable[[], float] = time.time) -> None:
        self._root = root
        self._clock = clock
        self._secret = b""

    def create_upload(self, key: str, content_type: str, size_bytes: int) -> Upload:
        url = self._signed(UPLOAD_TTL_S, verb="put", key=key, content_type=content_type, size_bytes=size_bytes)
        return Upload(url=url, headers={"Content-Type": content_type})

    def download_url(self, key: str, file_name: str, content_type: str, ttl_s: int) -> str:
        return self._signed(ttl_s, verb="get", key=key, content_type=content_type, file_name=file_name)

    def find(self, key: str, head_bytes: int) -> tuple[int, bytes] | None:
        try:
            with self.path(key).open("rb") as file:
                return os.fstat(file.fileno()).st_size, file.read(head_bytes)
        except FileNotFoundError:
            return None

    def reject(self, key: str, content_type: str) -> None:  # noqa: ARG002 the directory keeps no types
        with tempfile.NamedTemporaryFile(dir=self.path(key).parent, delete=False) as word:
            word.write(REJECTED)
        Path(word.name).replace(self.path(key))  # the name is taken throughout

    def path(self, key: str) -> Path:
        """Keys are ours, `<uuid>/<uuid>`; a client names none."""
        return self._root / key

    def open_ticket(self, text: str, verb: str) -> Ticket:
        """Return what a URL of ours allows. Raises NotFound if it is forged, for something else, or out of time."""
        body, _, signature = text.partition(".")
        if not hmac.compare_digest(self._signature(body).encode(), signature.encode()):
            raise NotFound(NO_SUCH)
        try:
            ticket = Ticket(**json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))))
        except (ValueError, TypeError, binascii.Error):
            raise NotFound(NO_SUCH) from None
        if ticket.verb != verb or ticket.ends_at < self._clock():
            raise NotFound(NO_SUCH)
        return ticket

    def put(self, ticket: Ticket, chunks: Iterable[bytes]) -> None:
        """Store the file whole or not at all. Raises Conflict when there is one, PayloadTooLarge."""
        target = self.path(ticket.key)
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=target.parent) as arriving:
            size_bytes = 0
            for chunk in chunks:
                size_bytes += len(chunk)
                if size_bytes > ticket.size_bytes:
                    raise PayloadTooLarge(f"Send the {ticket.size_bytes} bytes that were announced.")
                arriving.write(chunk)
            arriving.flush()
            try:
                os.link(arriving.name, target)  # unlike a rename it never replaces
            except FileExistsError:
                raise Conflict("The file is there already; announce another one.") from None

    def _signed(self, ttl_s: int, **allowed: Any) -> str:
        ticket = Ticket(ends_at=int(self._clock()) + ttl_s, **allowed)
        body = base64.urlsafe_b64encode(json.dumps(asdict(ticket)).encode()).decode().rstrip("=")
        return f"{PATH}/{body}.{self._signature(body)}"

    def _signature(self, body: str) -> str:
        return hmac.new(self._key(), body.encode(), hashlib.sha256).hexdigest()

    def _key(self) -> bytes:
        """One secret for all workers: made by the first that needs it, in the directory it protects."""
        if not self._secret:
            file = self._root / KEY_FILE
            self._root.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._root) as made:  # readable by its owner only
                made.write(secrets.token_bytes(32))
                made.flush()
                with contextlib.suppress(FileExistsError):
                    os.link(made.name, file)
            self._secret = file.read_bytes()
        return self._secret
