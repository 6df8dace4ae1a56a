"""`/keys`: parse, call the service, render. The text of a key is in the answer that made it, and nowhere else ever."""

from datetime import timedelta
from functools import partial

from flask import Response, g

from gateway.domain.conflicts import KeyNotActive, TooManyKeys
from gateway.domain.keys import ApiKey, NewKey, Scope
from gateway.errors import ScopeNotHeld
from gateway.http import rendering
from gateway.http.routes import Limit, Route
from gateway.services.keys import Keys
from gateway.v1.paths import PREFIX
from gateway.v1.schemas import answers
from gateway.v1.schemas.keys import CreateKey, ListKeys, RotateKey

KEYS = f"{PREFIX}/keys"
KEY = f"{KEYS}/<key_id:key_id>"


def create_key(keys: Keys, body: CreateKey) -> Response:
    """Create an API key. Its text is in this answer only. It has scopes, limits and lifetime of the calling key, or
    less; a key that is being replaced makes none.
    """
    text, key = keys.create(g.api_key, body.into(NewKey))
    return _made({"key": text.text, **_shown(key)})


def list_keys(keys: Keys, query: ListKeys) -> Response:
    """List API keys."""
    found, has_more = keys.list_keys(g.api_key, limit=query.limit, after=query.cursor)
    next_cursor = found[-1].id if has_more else None
    return rendering.many(map(_shown, found), limit=query.limit, has_more=has_more, next_cursor=next_cursor)


def get_key(keys: Keys, key_id: str) -> Response:
    """Get an API key. `lastUsedAt` may lag by half a minute."""
    return rendering.one(_shown(keys.get_key(g.api_key, key_id)))


def revoke_key(keys: Keys, key_id: str) -> Response:
    """Revoke an API key. It stops working within a second, for good."""
    return rendering.one(_shown(keys.revoke(g.api_key, key_id)))


def rotate_key(keys: Keys, key_id: str, body: RotateKey) -> Response:
    """Rotate an API key. Makes a key like it, which ends no later than the calling one; the old one works on for
    `overlapSeconds`.
    """
    text, new, old = keys.rotate(g.api_key, key_id, timedelta(seconds=body.overlap_seconds))
    return _made({"key": text.text, **_shown(new), "replaces": _shown(old)})


_route = partial(Route, area="keys", tag="API keys", answer=answers.Key, own_scope=Scope.KEYS)
ROUTES = (
    _route(
        "POST",
        KEYS,
        create_key,
        status=201,
        limit=Limit.NEW_KEYS,
        answer=answers.NewKey,
        example={"name": "CRM", "scopes": ["chat:read", "chat:write"], "rateLimit": 50},
        problems=(ScopeNotHeld, KeyNotActive, TooManyKeys),
        follows={"key_id": "id"},
    ),
    _route("GET", KEYS, list_keys, is_list=True),
    _route("GET", KEY, get_key),
    _route("DELETE", KEY, revoke_key),
    _route(
        "POST",
        f"{KEY}/rotate",
        rotate_key,
        status=201,
        limit=Limit.NEW_KEYS,
        answer=answers.RotatedKey,
        example={"overlapSeconds": 86400},
        problems=(ScopeNotHeld, KeyNotActive),
        follows={"key_id": "id"},
    ),
)


def _made(document: dict[str, object]) -> Response:
    headers = {"Location": f"{KEYS}/{document['id']}", "Cache-Control": "no-store"}
    return rendering.one(document, headers)


def _shown(key: ApiKey) -> dict[str, object]:
    return rendering.shown(key, answers.Key)
