"""Newline after JSON: a shell's prompt begins where a prompt begins."""

from flask import Response

JSON = frozenset({"application/json", "application/problem+json"})


def end_line(response: Response) -> Response:
    """End an answer before all other gates meet it: what they tag, compress and replay is what is read."""
    if response.mimetype in JSON and not response.is_streamed:
        data = response.get_data()
        if data and not data.endswith(b"\n"):
            response.set_data(data + b"\n")
    return response
