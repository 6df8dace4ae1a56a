"""Newline after JSON: a shell's prompt begins where a prompt begins."""

from flask import Flask, Response

JSON = frozenset({"application/json", "application/problem+json"})


class JsonTextGate:
    """Meets an answer before all others: what they tag, compress and replay is what is read."""

    def install(self, app: Flask) -> None:
        app.after_request(self._end_line)

    def _end_line(self, response: Response) -> Response:
        if response.mimetype in JSON and not response.is_streamed:
            data = response.get_data()
            if data and not data.endswith(b"\n"):
                response.set_data(data + b"\n")
        return response
