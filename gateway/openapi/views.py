"""`/`, `/docs` and `/api/v1/openapi.json`: for everybody, without a key. Made when first asked for."""

import functools
import importlib.metadata
import json
import re
from collections.abc import Iterable
from functools import partial
from html import escape
from importlib.resources import files

from flask import Response, current_app, redirect, request

from gateway.errors import NotFound
from gateway.http.routes import Proof, Route
from gateway.openapi import document
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


class Documents:
    """Each text is made when it is first asked for, and stays; there are as many as there are names."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes = routes
        self._made: dict[tuple[str, ...], str] = {}

    @functools.cached_property
    def openapi(self) -> str:
        return json.dumps(document.build(self._routes))

    @functools.cached_property
    def _site(self) -> Site:
        return Site(json.loads(self.openapi), problem_types())

    @functools.cached_property
    def search(self) -> str:
        return self._site.search()

    def page(self, *kind_and_name: str) -> Response:
        """Answer with a page of the site, by its kind and, where there are several, its name."""
        if kind_and_name not in self._made:
            kind, *name = kind_and_name
            made: str | None = getattr(self._site, kind)(*name)
            if made is None:
                raise NotFound(f"There is no such {kind}; {PLACES[kind]} lists them all.")
            self._made[kind_and_name] = made
        return _html(self._made[kind_and_name])


def root(documents: Documents) -> Response:
    asked = request.accept_mimetypes.best_match([JSON, HTML], default=JSON)
    facts = Response(json.dumps(FACTS), content_type=JSON, headers=HEADERS)
    answer = documents.page("home") if asked == HTML else facts
    answer.vary.add("Accept")
    return answer


def openapi(documents: Documents) -> Response:
    return Response(documents.openapi, content_type=JSON, headers=HEADERS)


def search(documents: Documents) -> Response:
    return Response(documents.search, content_type=JSON, headers=HEADERS)


def page(documents: Documents) -> Response:
    return documents.page(_kind())


def named_page(documents: Documents, name: str) -> Response:
    return documents.page(_kind(), name)


def slash() -> Response:
    return current_app.make_response(redirect("/docs", code=308))


def static(name: str) -> Response:
    if name not in STATIC:
        raise NotFound("There is no such page; /docs lists them all.")
    text = (files("gateway.openapi") / "static" / name).read_text(encoding="utf-8")
    return Response(text, content_type=STATIC[name], headers=HEADERS)


_route = partial(Route, "GET", area="documents", proof=Proof.NOTHING)
ROUTES = (
    _route("/", root),
    _route("/api/v1/openapi.json", openapi),
    _route("/docs", page, name="begin"),
    _route("/docs/", slash),
    _route("/docs/api/<name>", named_page, name="resource"),
    _route("/docs/events", page, name="events"),
    _route("/docs/schemas", page, name="schemas"),
    _route("/docs/problems", page, name="problems"),
    _route("/docs/problems/<name>", named_page, name="problem"),
    _route("/docs/search.json", search),
    _route("/docs/<name>", static),
)


def _kind() -> str:
    """Each page of the site has a route, which has its name."""
    return (request.endpoint or "").partition(".")[2]


def _html(text: str) -> Response:
    """Return a page with requests to the address that it was asked for under, if that is one."""
    if HOST.fullmatch(request.host):
        text = text.replace(BASE, escape(f"{request.scheme}://{request.host}"))
    answer = Response(text, content_type="text/html; charset=utf-8", headers=HEADERS)
    answer.vary.add("Host")
    return answer
