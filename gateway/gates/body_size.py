"""Fifth gate: how much. A body over the limit is refused by its Content-Length, a chunked one while it is read."""

from flask import Flask, request

from gateway.errors import PayloadTooLarge


class BodySizeGate:
    def __init__(self, max_body_bytes: int) -> None:
        self._max = max_body_bytes

    def install(self, app: Flask) -> None:
        app.config["MAX_CONTENT_LENGTH"] = self._max  # Werkzeug stops reading a chunked body there
        app.before_request(self._check)

    def _check(self) -> None:
        if (request.content_length or 0) > self._max:
            raise PayloadTooLarge(f"Send at most {self._max} bytes.")
