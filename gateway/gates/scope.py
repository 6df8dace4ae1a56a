"""Gate of the scope: whether this key may do this."""

from flask import Flask, g

from gateway.errors import ScopeMissing
from gateway.http.routes import current


class ScopeGate:
    """After the limits, so that refusals are counted, too."""

    def install(self, app: Flask) -> None:
        app.before_request(self._check)

    def _check(self) -> None:
        route = current()
        if route is not None and "api_key" in g and route.scope not in g.api_key.scopes:
            raise ScopeMissing(route.scope)
