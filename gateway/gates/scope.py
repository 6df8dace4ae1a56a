"""Fourth gate: may this key do this. By blueprint or method, so that a new route cannot forget it."""

from flask import Flask, g, request

from gateway.domain import Scope
from gateway.errors import ScopeMissing

READING = frozenset({"GET", "HEAD"})
OWN_SCOPES = {"realtime_sessions": Scope.SESSION}  # blueprints whose every route needs a scope of its own


class ScopeGate:
    """After the limits, so that refusals are counted, too."""

    def install(self, app: Flask) -> None:
        app.before_request(self._check)

    def _check(self) -> None:
        if request.url_rule is None or "api_key" not in g:
            return
        general = Scope.READ if request.method in READING else Scope.WRITE
        scope = OWN_SCOPES.get(request.blueprint or "", general)
        if scope not in g.api_key.scopes:
            raise ScopeMissing(scope)
