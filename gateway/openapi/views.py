"""`/api/v1/openapi.json`, `/docs` and `/docs/problems`: for everybody, without a key. Made when first asked for."""

import functools
import json
from collections.abc import Callable, Mapping

from flask import Blueprint, Response, current_app

from gateway.errors import NotFound
from gateway.gates.deprecation import Deprecation
from gateway.openapi import document, html
from gateway.openapi.catalogue import OPERATIONS
from gateway.openapi.problem_table import problem_types

HEADERS = {
    "Cache-Control": "public, max-age=300",
    # Nothing may be loaded, framed or run, whatever ends up in a page.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


def blueprint(deprecated: Mapping[str, Deprecation]) -> Blueprint:
    routes = Blueprint("documents", __name__)

    @functools.cache
    def described() -> str:
        return json.dumps(document.build(current_app, OPERATIONS, deprecated))

    @functools.cache
    def page() -> str:
        return html.api_page(json.loads(described()))

    def openapi() -> Response:
        return Response(described(), content_type="application/json", headers=HEADERS)

    def docs() -> Response:
        return _html(page)

    def problems() -> Response:
        return _html(lambda: html.problems_page(problem_types()))

    def problem(code: str) -> Response:
        kind = problem_types().get(code)
        if kind is None:
            raise NotFound("There is no such problem; /docs/problems lists them all.")
        return _html(lambda: html.problem_page(kind))

    routes.add_url_rule("/api/v1/openapi.json", view_func=openapi, methods=["GET"])
    routes.add_url_rule("/docs", view_func=docs, methods=["GET"])
    routes.add_url_rule("/docs/problems", view_func=problems, methods=["GET"])
    routes.add_url_rule("/docs/problems/<code>", view_func=problem, methods=["GET"])
    return routes


def _html(make: Callable[[], str]) -> Response:
    return Response(make(), content_type="text/html; charset=utf-8", headers=HEADERS)
