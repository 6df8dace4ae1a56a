"""Success answers. Representations come from Postgres as JSON text, and are answered as they are; with two exceptions.

A key that may not read is answered a receipt, and an account that asked for it finds the safe form beside each text.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TypeAlias
from urllib.parse import urlencode
from uuid import UUID

from flask import Response, g, request
from pydantic import BaseModel

from gateway.domain import versions
from gateway.domain.keys import Scope
from gateway.domain.versions import Shown
from gateway.http.routes import current
from realtime_bridge.shared.content_html import each_with_html

NAMED = frozenset(
    {"id", "conversationId", "seq", "lastSeq", "messageSeq", "eventId", "version", "clientMessageId"}  # what it is
    | {"status", "state", "createdAt", "updatedAt", "editedAt", "deletedAt"}  # how it stands
    | {"imported", "duplicate", "invalid", "results", "told", "upload"}  # what became of the request itself
)


Said: TypeAlias = str | Mapping[str, object]  # JSON text, from Postgres, or what is to be JSON


def _is_receipt_due() -> bool:
    """Whether this request writes with a key that may not read."""
    route = current()
    writes = route is not None and route.scope is Scope.WRITE
    return writes and "api_key" in g and Scope.READ not in g.api_key.scopes


def _receipt_of(representation: str) -> str:
    """Leave of a resource's JSON text what names it."""
    shown = json.loads(representation)
    return json.dumps({name: value for name, value in shown.items() if name in NAMED}, ensure_ascii=False)


def shown(value: object, model: type[BaseModel], **others: object) -> dict[str, object]:
    """Return of a value, and of these others, what the answer's model describes."""
    fields = [(str(field.alias), name) for name, field in model.model_fields.items()]
    return {alias: others[name] if name in others else getattr(value, name) for alias, name in fields}


def _text(said: Said) -> str:
    return said if isinstance(said, str) else json.dumps(said, default=_plain)


def _plain(value: object) -> str:
    """A time as `crossfade.iso8601` writes it, and ids as text; raises TypeError for what is no JSON."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} is no JSON")


def one(said: Said, headers: Mapping[str, str] | None = None) -> Response:
    """`{"success": true, "data": …}`, with the route's status."""
    representation = _text(said)
    if headers and "ETag" in headers and wants_html() and not _is_receipt_due():
        headers = {**headers, "ETag": versions.with_html(headers["ETag"])}
    (representation,) = [_receipt_of(representation)] if _is_receipt_due() else _shown([representation])
    return _answer(f'{{"success": true, "data": {representation}}}', headers)


def version(shown: Shown) -> Response:
    """One thing as it is now, with the ETag that a change of it may name."""
    return one(shown.representation, {"ETag": shown.etag})


def many(
    items: Iterable[Said],
    *,
    page: int | None = None,
    limit: int | None = None,
    total: int | None = None,
    has_more: bool = False,
    next_cursor: str | None = None,
    next_as: str = "cursor",
) -> Response:
    """`{"success": true, "data": […], "pagination": {…}}`. The parameter `next_as` takes the cursor."""
    pagination = {"page": page, "limit": limit, "total": total, "hasMore": has_more, "nextCursor": next_cursor}
    data = ", ".join(_shown(map(_text, items)))
    answer = _answer(f'{{"success": true, "data": [{data}], "pagination": {json.dumps(pagination)}}}', None)
    if next_cursor is not None:  # RFC 8288
        query = {name: value for name, value in request.args.to_dict().items() if name != "page"}
        answer.headers["Link"] = f'<{request.path}?{urlencode(query | {next_as: next_cursor})}>; rel="next"'
    return answer


def wants_html() -> bool:
    """Whether the account asked for the safe form of what people wrote."""
    return "api_key" in g and bool(g.api_key.wants_html)


def _shown(representations: Iterable[str]) -> Iterable[str]:
    return each_with_html(representations) if wants_html() else representations


def _answer(text: str, headers: Mapping[str, str] | None) -> Response:
    route = current()
    status = route.status if route else 200
    return Response(text, status=status, headers=dict(headers or {}), content_type="application/json")
