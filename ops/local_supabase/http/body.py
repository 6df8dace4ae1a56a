"""Bodies of requests, read as the real server's parsers do. JSON types, forms, and nothing else."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from ops.local_supabase.wire import json_text

MOST_BODY_BYTES = 8_000_000  # Plug's default; past it 413
_JSON = re.compile(r"^application/(?:[\w.+-]+\+)?json$")
_BRACKETS = re.compile(r"\[([^\]]*)\]")


@dataclass(eq=False)
class BodyError(Exception):
    """The body cannot be read; a status and its plain text."""

    status: int
    text: str


def media_type(request: web.Request) -> str:
    """The content type without parameters, empty when there is none."""
    return request.headers.get("Content-Type", "").partition(";")[0].strip().lower()


async def read_bytes(request: web.Request) -> bytes:
    """Read the body within its bound; raises BodyError."""
    if (request.content_length or 0) > MOST_BODY_BYTES:
        raise BodyError(413, "Request Entity Too Large")
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise BodyError(413, "Request Entity Too Large") from None


def parse(kind: str, data: bytes) -> dict[str, Any]:
    """Parse a body of a media type; values that are no object become `_json`. Raises BodyError."""
    if _JSON.match(kind):
        return _parse_json(data)
    if kind == "application/x-www-form-urlencoded":
        return _parse_form(data)
    return {}


def _parse_json(data: bytes) -> dict[str, Any]:
    if not data:
        return {}
    try:
        value = json_text.decode(data)
    except ValueError:
        raise BodyError(400, "Bad Request") from None
    return value if isinstance(value, dict) else {"_json": value}


def _parse_form(data: bytes) -> dict[str, Any]:
    """Read `a[b][c]=d` into nested objects."""
    form: dict[str, Any] = {}
    try:
        pairs = parse_qsl(data.decode(), keep_blank_values=True, max_num_fields=10_000)
    except ValueError:
        raise BodyError(400, "Bad Request") from None
    for name, value in pairs:
        keys = [name.partition("[")[0], *_BRACKETS.findall(name)]
        target = form
        for key in keys[:-1]:
            nested = target.setdefault(key, {})
            if not isinstance(nested, dict):
                raise BodyError(400, "Bad Request")
            target = nested
        target[keys[-1]] = value
    return form
