"""Success answers. Representations come from Postgres as JSON text, and are answered as they are; with two exceptions.

A key that may not read is answered a receipt, and an account that asked for it finds the safe form beside each text.
"""

import json
from collections.abc import Iterable, Mapping

from flask import Response, g, request

from gateway.domain import versions
from gateway.domain.keys import Scope
from gateway.http.scopes import scope_of
from realtime_bridge.shared.content_html import each_with_html

NAMED = frozenset(
    {"id", "conversationId", "seq", "lastSeq", "messageSeq", "eventId", "version", "clientMessageId"}  # what it is
    | {"status", "state", "createdAt", "updatedAt", "editedAt", "deletedAt"}  # how it stands
    | {"imported", "duplicate", "invalid", "results", "told", "upload"}  # what became of the request itself
)


def are_due() -> bool:
    """Whether this request writes with a key that may not read."""
    if "api_key" not in g or request.url_rule is None or Scope.READ in g.api_key.scopes:
        return False
    return scope_of(request.blueprint, request.method) is Scope.WRITE


def of(representation: str) -> str:
    """Leave of a resource's JSON text what names it."""
    shown = json.loads(representation)
    return json.dumps({name: value for name, value in shown.items() if name in NAMED}, ensure_ascii=False)


def one(representation: str, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """`{"success": true, "data": …}`."""
    if headers and "ETag" in headers and wants_html() and not are_due():
        headers = {**headers, "ETag": versions.with_html(headers["ETag"])}
    (representation,) = [of(representation)] if are_due() else _shown([representation])
    return _answer(f'{{"success": true, "data": {representation}}}', status, headers)


def many(representations: Iterable[str], pagination: Mapping[str, object]) -> Response:
    """`{"success": true, "data": […], "pagination": {…}}`."""
    g.pagination = pagination  # for the gate that makes the Link header
    data = ", ".join(_shown(representations))
    return _answer(f'{{"success": true, "data": [{data}], "pagination": {json.dumps(pagination)}}}', 200, None)


def wants_html() -> bool:
    """Whether the account asked for the safe form of what people wrote."""
    return "api_key" in g and bool(g.api_key.wants_html)


def _shown(representations: Iterable[str]) -> Iterable[str]:
    return each_with_html(representations) if wants_html() else representations


def _answer(text: str, status: int, headers: Mapping[str, str] | None) -> Response:
    return Response(text, status=status, headers=dict(headers or {}), content_type="application/json")
