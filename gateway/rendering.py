"""Success answers. Representations come from Postgres as JSON text; a gate sorts their fields."""

import json
from collections.abc import Iterable, Mapping

from flask import Response, g


def one(representation: str, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """`{"success": true, "data": …}`."""
    return _answer(f'{{"success": true, "data": {representation}}}', status, headers)


def many(representations: Iterable[str], pagination: Mapping[str, object]) -> Response:
    """`{"success": true, "data": […], "pagination": {…}}`."""
    g.pagination = pagination  # for the gate that makes the Link header
    data = ", ".join(representations)
    return _answer(f'{{"success": true, "data": [{data}], "pagination": {json.dumps(pagination)}}}', 200, None)


def _answer(text: str, status: int, headers: Mapping[str, str] | None) -> Response:
    return Response(text, status=status, headers=dict(headers or {}), content_type="application/json")
