"""Refusals of what never reaches Flask. problem+json for lines and headers that gunicorn cannot or will not read."""

import socket
from secrets import token_hex

from gunicorn import util  # type: ignore[import-untyped]

from gateway.errors import ProblemError
from gateway.http.problems import body

DETAILS = {
    400: ("bad_request", "Send a well-formed HTTP/1.1 request."),
    403: ("forbidden", "Speak to this server as its operator intends."),
    408: ("request_timeout", "Send the whole request at once."),
    414: ("uri_too_long", "Send a shorter path and query."),
    417: ("expectation_failed", "Leave the Expect header out."),
    431: ("header_fields_too_large", "Send fewer and shorter headers."),
    501: ("not_implemented", "Send the body plain or chunked, without another transfer coding."),
}


def write_problem(client: socket.socket, status: int, reason: str, message: str) -> None:  # noqa: ARG001 gunicorn's call
    """Take the place of `gunicorn.util.write_error`; what the client sent wrong is in the log, not in the answer."""
    code, detail = DETAILS.get(status, ("internal_error", "Report it with the request id."))
    request_id = token_hex(16)
    text = f"{body(ProblemError.of(status, code, reason, detail), request_id)}\n".encode()
    head = (
        f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: application/problem+json\r\n"
        f"X-Request-Id: {request_id}\r\nContent-Length: {len(text)}\r\n\r\n"
    )
    util.write_nonblock(client, head.encode() + text)
