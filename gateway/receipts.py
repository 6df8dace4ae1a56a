"""What a key that may write and not read is answered: what it did, and nothing that anybody wrote.

A write shows the whole resource, also one that changes nothing, so without this every write-only key could read. Named
are the fields that may be shown: a new field is hidden until somebody decides about it.
"""

import json

from flask import g, request

from gateway.domain.messages import Scope
from gateway.gates.scope import scope_of

NAMED = frozenset(
    {"id", "conversationId", "seq", "lastSeq", "messageSeq", "eventId", "version", "clientMessageId"}  # what it is
    | {"status", "state", "createdAt", "updatedAt", "editedAt", "deletedAt"}  # how it stands
    | {"imported", "duplicate", "invalid", "results", "told", "upload"}  # what became of the request itself
)


def are_due() -> bool:
    """Whether this request writes with a key that may not read."""
    if "api_key" not in g or request.url_rule is None or Scope.READ in g.api_key.scopes:
        return False
    return scope_of(request.blueprint, request.method) is Scope.WRITE


def of(representation: str) -> str:
    """Leave of a resource's JSON text what names it."""
    shown = json.loads(representation)
    return json.dumps({name: value for name, value in shown.items() if name in NAMED}, ensure_ascii=False)
