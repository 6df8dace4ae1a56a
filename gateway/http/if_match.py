"""`If-Match` as it is sent (RFC 9110 §13.1.1). Asked for the views that change something."""

from flask import request

from gateway.domain.versions import ANY, IfMatch, version_of
from gateway.errors import PreconditionRequired

NEVER = ""  # no ETag is empty: what cannot be read matches nothing


def read_if_match(*, required: bool = False) -> IfMatch:
    """Return the ETags that the request accepts. Raises PreconditionRequired where one must be sent."""
    if "If-Match" not in request.headers:
        if required:
            raise PreconditionRequired
        return IfMatch()
    sent = request.if_match
    strong = tuple(version_of(tag) for tag in sent.as_set() if tag)
    return IfMatch((ANY,) if sent.star_tag else strong or (NEVER,))
