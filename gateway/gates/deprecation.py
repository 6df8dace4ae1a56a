"""Announcements of what will go. `Deprecation` (RFC 9745), `Sunset` (RFC 8594) and links to what takes its place."""

from email.utils import format_datetime

from flask import Response

from gateway.http.routes import current


def announce(response: Response) -> Response:
    route = current()
    if route is None or (going := route.deprecated) is None:
        return response
    response.headers["Deprecation"] = f"@{int(going.since.timestamp())}"
    if going.sunset is not None:
        response.headers["Sunset"] = format_datetime(going.sunset, usegmt=True)
    if going.successor is not None:
        response.headers.add("Link", f'<{going.successor}>; rel="successor-version"')
    if going.notes is not None:
        response.headers.add("Link", f'<{going.notes}>; rel="deprecation"; type="text/html"')
    return response
