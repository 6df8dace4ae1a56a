"""Fourth gate: may this key do this. By method, so that a new route cannot forget it; some want another scope."""

from collections.abc import Mapping

from flask import Flask, g, request

from gateway.domain import Scope
from gateway.errors import ScopeMissing

READING = frozenset({"GET", "HEAD"})
OWN_SCOPES = {"webhooks": Scope.WEBHOOKS}  # blueprints whose every route needs a scope of its own


class ScopeGate:
    """After the limits, so that refusals are counted, too."""

    def __init__(self, by_endpoint: Mapping[str, Scope]) -> None:
        self._by_endpoint = by_endpoint

    def install(self, app: Flask) -> None:
        app.before_request(self._check)

    def _check(self) -> None:
        if request.url_rule is None or "api_key" not in g:
            return
        general = Scope.READ if request.method in READING else Scope.WRITE
        scope = self._by_endpoint.get(request.endpoint or "") or OWN_SCOPES.get(request.blueprint or "", general)
        if scope not in g.api_key.scopes:
            raise ScopeMissing(scope)
