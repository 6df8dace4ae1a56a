"""Announce what will go: `Deprecation` (RFC 9745), `Sunset` (RFC 8594) and links to what takes its place."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from flask import Flask, Response, request


@dataclass(frozen=True, slots=True, kw_only=True)
class Deprecation:
    """`since` may lie in the future; `sunset`, when the route stops working, never lies before it. Both in UTC."""

    since: datetime
    sunset: datetime | None = None
    successor: str | None = None
    notes: str | None = None

    def __post_init__(self) -> None:
        if self.sunset is not None and self.sunset < self.since:
            raise ValueError("a route cannot stop working before it is deprecated")


class DeprecationGate:
    """`routes` is by view; the description of the API marks the same ones."""

    def __init__(self, routes: Mapping[str, Deprecation]) -> None:
        self._routes = routes

    def install(self, app: Flask) -> None:
        app.after_request(self._announce)

    def _announce(self, response: Response) -> Response:
        route = self._routes.get(request.endpoint or "")
        if route is None:
            return response
        response.headers["Deprecation"] = f"@{int(route.since.timestamp())}"
        if route.sunset is not None:
            response.headers["Sunset"] = format_datetime(route.sunset, usegmt=True)
        if route.successor is not None:
            response.headers.add("Link", f'<{route.successor}>; rel="successor-version"')
        if route.notes is not None:
            response.headers.add("Link", f'<{route.notes}>; rel="deprecation"; type="text/html"')
        return response
