"""May this key do this. By method, so that a new route cannot forget it; some blueprints want a scope of their own."""

from flask import Flask, g, request

from gateway.errors import ScopeMissing
from gateway.http.scopes import scope_of


class ScopeGate:
    """After the limits, so that refusals are counted, too."""

    def install(self, app: Flask) -> None:
        app.before_request(self._check)

    def _check(self) -> None:
        if request.url_rule is None or "api_key" not in g:
            return
        scope = scope_of(request.blueprint, request.method)
        if scope not in g.api_key.scopes:
            raise ScopeMissing(scope)
