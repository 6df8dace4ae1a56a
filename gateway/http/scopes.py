"""The scope that a route asks for."""

from gateway.domain.keys import Scope

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
