"""Gate of the scope: whether this key may do this."""

from flask import g

from gateway.errors import ScopeMissing
from gateway.http.routes import current


def check_scope() -> None:
    """Raise ScopeMissing; after the limits, so that refusals are counted, too."""
    route = current()
    if route is not None and "api_key" in g and route.scope not in g.api_key.scopes:
        raise ScopeMissing(route.scope)
