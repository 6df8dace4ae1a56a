"""JSON as people read it: fields in the order of the description, and a line that ends."""

from collections.abc import Iterable, Iterator
from http import HTTPStatus

from flask import Flask, Response, request

from gateway.openapi import field_order

ONE = frozenset({"application/json", "application/problem+json"})
LINES = "application/x-ndjson"


class JsonTextGate:
    """Meets an answer before all others: what they tag, compress and replay is what is read."""

    def install(self, app: Flask) -> None:
        app.after_request(self._arrange)

    def _arrange(self, response: Response) -> Response:
        endpoint = request.endpoint or ""
        if response.mimetype == LINES and response.is_streamed:
            response.response = _lines(response.response, endpoint)
        elif response.mimetype in ONE and not response.is_streamed:
            text = response.get_data(as_text=True)
            if response.status_code < HTTPStatus.BAD_REQUEST:
                text = field_order.ordered(text, endpoint)
            response.set_data(text if text.endswith("\n") or not text else f"{text}\n")
        return response


def _lines(parts: Iterable[str] | Iterable[bytes], endpoint: str) -> Iterator[str]:
    """Each part has whole lines."""
    for part in parts:
        text = part if isinstance(part, str) else part.decode()
        yield "".join(f"{field_order.ordered(line, endpoint)}\n" for line in text.splitlines())
