"""Fifth gate: how much. A body over the limit is refused by its Content-Length, a chunked one while it is read."""

from collections.abc import Mapping

from flask import Flask, request

from gateway.errors import PayloadTooLarge
from gateway.http.validation import MAX_BODY_BYTES


class BodySizeGate:
    """`larger` names the views that take more, and how many bytes."""

    def __init__(self, max_body_bytes: int, larger: Mapping[str, int] | None = None) -> None:
        self._max = max_body_bytes
        self._larger = larger or {}

    def install(self, app: Flask) -> None:
        app.config[MAX_BODY_BYTES] = self._max
        # Werkzeug cuts a chunked body off here without a word; the byte too many tells `read_body` that it did.
        app.config["MAX_CONTENT_LENGTH"] = self._max + 1
        app.before_request(self._check)

    def _check(self) -> None:
        limit = self._larger.get(request.endpoint or "", self._max)
        request.max_content_length = limit + 1
        if (request.content_length or 0) > limit:
            raise PayloadTooLarge(f"Send at most {limit} bytes.")
