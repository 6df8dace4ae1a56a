"""May this key do this. By method, so that a new route cannot forget it; some blueprints want a scope of their own."""

from flask import Flask, g, request

from gateway.domain.messages import Scope
from gateway.errors import ScopeMissing

READING = frozenset({"GET", "HEAD"})
OWN_SCOPES = {
    "account": Scope.KEYS,  # whoever hands out keys decides what everybody with a key is shown
    "keys": Scope.KEYS,
    "webhooks": Scope.WEBHOOKS,
    "channels": Scope.WEBHOOKS,  # they hold secrets, and decide whom we take events from
    "realtime_sessions": Scope.SESSION,
}


def scope_of(blueprint: str | None, method: str) -> Scope:
    """Return what a key must hold for a route; the description of the API asks here, too."""
    by_method = Scope.READ if method in READING else Scope.WRITE
    return OWN_SCOPES.get(blueprint or "", by_method)


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
