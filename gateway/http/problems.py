"""Failures as RFC 9457 `application/problem+json`, Flask's own included. Called by Flask only."""

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus

import structlog
from flask import Flask, Response, g
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]
from werkzeug.exceptions import HTTPException

from gateway import errors
from gateway.errors import FieldError, ProblemError

_log = structlog.get_logger(__name__)

WORDS: Mapping[int, tuple[str, str, str]] = {
    400: (errors.BadRequest.code, errors.BadRequest.title, "Correct the request."),
    404: (errors.NotFound.code, errors.NotFound.title, "Check the path and the ids in it."),
    405: ("method_not_allowed", "Method not allowed", "Use one of the methods in the Allow header."),
    413: (errors.PayloadTooLarge.code, errors.PayloadTooLarge.title, "Send a smaller body."),
    415: (errors.UnsupportedMediaType.code, errors.UnsupportedMediaType.title, "Send application/json."),
}


def register(app: Flask) -> None:
    app.register_error_handler(ProblemError, _ours)
    app.register_error_handler(HTTPException, _from_http_exception)
    app.register_error_handler(ParseException, _broken_body)
    app.register_error_handler(Exception, _unexpected)


def _ours(error: ProblemError) -> Response:
    g.problem_code = error.code
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        cause = error.__cause__ or error
        _log.warning("request_not_served", cause=type(cause).__name__, error=" ".join(str(cause).split()))
    return respond(
        error.status,
        error.code,
        error.title,
        error.detail,
        errors=error.errors,
        headers=error.headers,
        fields=error.fields,
    )


def _from_http_exception(error: HTTPException) -> Response:
    status = error.code or 500
    code, title, detail = WORDS.get(status) or _words_for(error)
    g.problem_code = code
    kept = {k: v for k, v in error.get_headers() if k.lower() in ("allow", "retry-after")}
    return respond(status, code, title, detail, headers=kept)


def _words_for(error: HTTPException) -> tuple[str, str, str]:
    code = re.sub(r"\W+", "_", error.name.lower())
    return code, error.name, "Correct the request."


def _broken_body(_error: ParseException) -> Response:
    """The server takes chunks apart while a view reads them."""
    return _ours(errors.BadRequest("Send the body's chunks, and what follows them, as RFC 9112 §7.1 says."))


def _unexpected(error: Exception) -> Response:
    _log.error("request_failed", exc_info=error)
    g.problem_code = ProblemError.code
    return respond(
        500, ProblemError.code, ProblemError.title, f"Report it with the request id {g.get('request_id', '')}."
    )


def respond(
    status: int,
    code: str,
    title: str,
    detail: str,
    *,
    errors: Sequence[FieldError] = (),
    headers: Mapping[str, str] | None = None,
    fields: Mapping[str, str | int] | None = None,
) -> Response:
    """`type` is a URI reference that never changes for a `code`; the rest is for people and logs."""
    return Response(
        body(status, code, title, detail, str(g.get("request_id", "")), errors, fields),
        status=status,
        headers=dict(headers or {}),
        content_type="application/problem+json",
    )


def body(
    status: int,
    code: str,
    title: str,
    detail: str,
    request_id: str,
    errors: Sequence[FieldError] = (),
    fields: Mapping[str, str | int] | None = None,
) -> str:
    problem: dict[str, object] = {
        "type": f"/docs/problems/{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "requestId": request_id,
        **(fields or {}),
    }
    if errors:
        problem["errors"] = [
            {name: value for name, value in dataclasses.asdict(fault).items() if value is not None} for fault in errors
        ]
    return json.dumps(problem)
