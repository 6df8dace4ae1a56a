"""`/keys`: parse, call the service, render. The text of a key is in the answer that made it, and nowhere else ever."""

import json
from datetime import UTC, datetime, timedelta

from flask import Blueprint, Response, g

from gateway.domain.keys import ApiKey
from gateway.http import rendering
from gateway.http.validation import read_body, read_query
from gateway.services.keys import Keys
from gateway.v1.paths import PREFIX
from gateway.v1.schemas.fields import NoQuery
from gateway.v1.schemas.keys import CreateKey, ListKeys, RotateKey

KEY = "/keys/<key_id:key_id>"


def blueprint(keys: Keys) -> Blueprint:
    routes = Blueprint("keys", __name__, url_prefix=PREFIX)

    def create_key() -> Response:
        read_query(NoQuery)
        body = read_body(CreateKey)
        text, key = keys.create(
            g.api_key,
            name=body.name,
            scopes=[scope.value for scope in body.scopes],
            rate_limit=body.rate_limit,
            send_rate_limit=body.send_rate_limit,
            expires_at=body.expires_at,
        )
        return _made({"key": text.text, **_shown(key)})

    def list_keys() -> Response:
        query = read_query(ListKeys)
        page = keys.list_keys(g.api_key, limit=query.limit, after=query.cursor)
        next_cursor = page.items[-1].id if page.has_more else None
        pagination = {"page": None, "limit": query.limit, "total": None, "hasMore": page.has_more}
        return rendering.many([json.dumps(_shown(key)) for key in page.items], pagination | {"nextCursor": next_cursor})

    def get_key(key_id: str) -> Response:
        read_query(NoQuery)
        return rendering.one(json.dumps(_shown(keys.get_key(g.api_key, key_id))))

    def revoke_key(key_id: str) -> Response:
        read_query(NoQuery)
        return rendering.one(json.dumps(_shown(keys.revoke(g.api_key, key_id))))

    def rotate_key(key_id: str) -> Response:
        read_query(NoQuery)
        overlap = timedelta(seconds=read_body(RotateKey).overlap_seconds)
        text, new, old = keys.rotate(g.api_key, key_id, overlap)
        return _made({"key": text.text, **_shown(new), "replaces": _shown(old)})

    routes.add_url_rule("/keys", view_func=create_key, methods=["POST"])
    routes.add_url_rule("/keys", view_func=list_keys, methods=["GET"])
    routes.add_url_rule(KEY, view_func=get_key, methods=["GET"])
    routes.add_url_rule(KEY, view_func=revoke_key, methods=["DELETE"])
    routes.add_url_rule(f"{KEY}/rotate", view_func=rotate_key, methods=["POST"])
    return routes


def _made(document: dict[str, object]) -> Response:
    headers = {"Location": f"{PREFIX}/keys/{document['id']}", "Cache-Control": "no-store"}
    return rendering.one(json.dumps(document), status=201, headers=headers)


def _shown(key: ApiKey) -> dict[str, object]:
    return {
        "id": key.id,
        "name": key.name,
        "prefix": key.prefix,
        "scopes": list(key.scopes),
        "rateLimit": key.rate_limit,
        "sendRateLimit": key.send_rate_limit,
        "state": _state(key),
        "createdAt": _moment(key.created_at),
        "expiresAt": _moment(key.expires_at),
        "revokedAt": _moment(key.revoked_at),
        "lastUsedAt": _moment(key.last_used_at),
        "replacedBy": key.replaced_by,
    }


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.has_expired(datetime.now(UTC)) else "active"


def _moment(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if moment else None
