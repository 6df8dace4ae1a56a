"""`/`, `/docs` and `/api/v1/openapi.json`: for everybody, without a key. Made when first asked for."""

import functools
import importlib.metadata
import json
import re
from collections.abc import Mapping
from html import escape
from importlib.resources import files

from flask import Blueprint, Response, current_app, redirect, request

from gateway.errors import NotFound
from gateway.gates.deprecation import Deprecation
from gateway.openapi import document
from gateway.openapi.operations.catalogue import OPERATIONS
from gateway.openapi.pages.problems import problem_types
from gateway.openapi.pages.site import Site
from gateway.openapi.pages.snippets import BASE
from gateway.v1.paths import PREFIX

HTML = "text/html"
JSON = "application/json"
FACTS = {
    "name": "Crossfade gateway",
    "version": importlib.metadata.version("crossfade"),
    "apiVersion": document.VERSION,
    "api": PREFIX,
    "docs": "/docs",
    "problems": "/docs/problems",
    "openapi": "/api/v1/openapi.json",
    "livez": "/livez",
    "readyz": "/readyz",
}
HEADERS = {
    "Cache-Control": "public, max-age=300",
    # Nothing may be loaded, framed, sent or run but what is ours and of this gateway, whatever ends up in a page.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'none';"
        " base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
STATIC = {"docs.css": "text/css; charset=utf-8", "docs.js": "text/javascript; charset=utf-8"}
HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(:\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?")
PLACES = {"resource": "/docs", "problem": "/docs/problems"}


def blueprint(deprecated: Mapping[str, Deprecation]) -> Blueprint:
    views = Documents(deprecated)
    routes = Blueprint("documents", __name__)
    for name, rule, view in (
        ("root", "/", views.root),
        ("openapi", "/api/v1/openapi.json", views.openapi),
        ("begin", "/docs", lambda: views.page("begin")),
        ("slash", "/docs/", lambda: redirect("/docs", code=308)),
        ("resource", "/docs/api/<name>", lambda name: views.page("resource", name)),
        ("events", "/docs/events", lambda: views.page("events")),
        ("schemas", "/docs/schemas", lambda: views.page("schemas")),
        ("problems", "/docs/problems", lambda: views.page("problems")),
        ("problem", "/docs/problems/<name>", lambda name: views.page("problem", name)),
        ("search", "/docs/search.json", views.search),
        ("static", "/docs/<name>", views.static),
    ):
        routes.add_url_rule(rule, endpoint=name, view_func=view, methods=["GET"])
    return routes


class Documents:
    """Each text is made when it is first asked for, and stays; there are as many as there are names."""

    def __init__(self, deprecated: Mapping[str, Deprecation]) -> None:
        self._deprecated = deprecated
        self._made: dict[tuple[str, ...], str] = {}

    @functools.cached_property
    def _described(self) -> str:
        return json.dumps(document.build(current_app, OPERATIONS, self._deprecated))

    @functools.cached_property
    def _site(self) -> Site:
        return Site(json.loads(self._described), problem_types())

    def root(self) -> Response:
        asked = request.accept_mimetypes.best_match([JSON, HTML], default=JSON)
        facts = Response(json.dumps(FACTS), content_type=JSON, headers=HEADERS)
        answer = self.page("home") if asked == HTML else facts
        answer.vary.add("Accept")
        return answer

    def openapi(self) -> Response:
        return Response(self._described, content_type=JSON, headers=HEADERS)

    @functools.cached_property
    def _found(self) -> str:
        return self._site.search()

    def search(self) -> Response:
        return Response(self._found, content_type=JSON, headers=HEADERS)

    def page(self, *kind_and_name: str) -> Response:
        """Answer with a page of the site, by its kind and, where there are several, its name."""
        if kind_and_name not in self._made:
            kind, *name = kind_and_name
            made: str | None = getattr(self._site, kind)(*name)
            if made is None:
                raise NotFound(f"There is no such {kind}; {PLACES[kind]} lists them all.")
            self._made[kind_and_name] = made
        return _html(self._made[kind_and_name])

    def static(self, name: str) -> Response:
        if name not in STATIC:
            raise NotFound("There is no such page; /docs lists them all.")
        text = (files("gateway.openapi") / "static" / name).read_text(encoding="utf-8")
        return Response(text, content_type=STATIC[name], headers=HEADERS)


def _html(text: str) -> Response:
    """Return a page with requests to the address that it was asked for under, if that is one."""
    if HOST.fullmatch(request.host):
        text = text.replace(BASE, escape(f"{request.scheme}://{request.host}"))
    answer = Response(text, content_type="text/html; charset=utf-8", headers=HEADERS)
    answer.vary.add("Host")
    return answer
