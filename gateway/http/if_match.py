"""`If-Match` as it is sent (RFC 9110 §13.1.1). Asked for the views that change something."""

import re

from flask import request

from gateway.domain.versions import ANY, IfMatch, version_of
from gateway.errors import FieldError, PreconditionRequired, ValidationFailed

NEVER = ""  # no ETag is empty: a weak one matches nothing
_TAG = r'(W/)?"[!#-~]*"'
FORM = rf"^(\*|{_TAG}([ \t]*,[ \t]*{_TAG})*)$"


def read_if_match(*, required: bool = False) -> IfMatch:
    """Return the ETags that the request accepts. Raises PreconditionRequired, or ValidationFailed for what is none."""
    if "If-Match" not in request.headers:
        if required:
            raise PreconditionRequired
        return IfMatch()
    if not re.fullmatch(FORM, request.headers["If-Match"]):
        detail = 'Send ETags as they were answered, in double quotes: "…", or *.'
        raise ValidationFailed(FieldError(parameter="If-Match", code="wrong_form", detail=detail))
    sent = request.if_match
    strong = tuple(version_of(tag) for tag in sent.as_set() if tag)
    return IfMatch((ANY,) if sent.star_tag else strong or (NEVER,))
