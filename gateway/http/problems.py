"""Failures as RFC 9457 `application/problem+json`, Flask's own included. Called by Flask only."""

import dataclasses
import json
import re
from collections.abc import Mapping
from http import HTTPStatus

import structlog
from flask import Flask, Response, g
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]
from werkzeug.exceptions import HTTPException

from gateway import errors
from gateway.errors import ProblemError

_log = structlog.get_logger(__name__)

WORDS: Mapping[int, tuple[str, str, str]] = {
    400: (errors.BadRequest.code, errors.BadRequest.title, "Correct the request."),
    404: (errors.NotFound.code, errors.NotFound.title, "Check the path and the ids in it."),
    405: ("method_not_allowed", "Method not allowed", "Use one of the methods in the Allow header."),
    413: (errors.PayloadTooLarge.code, errors.PayloadTooLarge.title, "Send a smaller body."),
    415: (errors.UnsupportedMediaType.code, errors.UnsupportedMediaType.title, "Send application/json."),
}


def register(app: Flask) -> None:
    app.register_error_handler(ProblemError, respond)
    app.register_error_handler(HTTPException, _from_http_exception)
    app.register_error_handler(ParseException, _broken_body)
    app.register_error_handler(Exception, _unexpected)


def respond(error: ProblemError) -> Response:
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        cause = error.__cause__ or error
        _log.warning("request_not_served", cause=type(cause).__name__, error=" ".join(str(cause).split()))
    return _answer(error)


def _from_http_exception(error: HTTPException) -> Response:
    status = error.code or 500
    words = (re.sub(r"\W+", "_", error.name.lower()), error.name, "Correct the request.")
    kept = {k: v for k, v in error.get_headers() if k.lower() in ("allow", "retry-after")}
    return _answer(ProblemError.of(status, *WORDS.get(status, words), headers=kept))


def _broken_body(_error: ParseException) -> Response:
    """The server takes chunks apart while a view reads them."""
    return _answer(errors.BadRequest("Send the body's chunks, and what follows them, as RFC 9112 §7.1 says."))


def _unexpected(error: Exception) -> Response:
    _log.error("request_failed", exc_info=error)
    return _answer(ProblemError(f"Report it with the request id {g.get('request_id', '')}."))


def _answer(error: ProblemError) -> Response:
    g.problem_code = error.code
    text = body(error, str(g.get("request_id", "")))
    return Response(text, status=error.status, headers=error.headers, content_type="application/problem+json")


def body(error: ProblemError, request_id: str) -> str:
    """`type` is a URI reference that never changes for a `code`; the rest is for people and logs."""
    problem: dict[str, object] = {
        "type": f"/docs/problems/{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "requestId": request_id,
        **error.fields,
    }
    if error.errors:
        faults = map(dataclasses.asdict, error.errors)
        problem["errors"] = [{name: value for name, value in one.items() if value is not None} for one in faults]
    return json.dumps(problem)
