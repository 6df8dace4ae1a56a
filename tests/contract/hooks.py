"""What schemathesis is told about this API beyond the document. Loaded by its own process, by name."""

import os
from datetime import UTC
from typing import Any
from uuid import uuid4

import schemathesis
from hypothesis import strategies as st

from gateway.errors import IdempotencyKeyInvalid
from gateway.http import idempotency
from gateway.v1.schemas.events import MAX_WAIT_S

MOMENTS = st.datetimes(timezones=st.just(UTC)).filter(lambda moment: moment.year >= 1970)

schemathesis.openapi.format("date-time", MOMENTS.map(lambda moment: moment.isoformat().replace("+00:00", "Z")))


@schemathesis.hook
def before_call(context: Any, case: Any, _kwargs: Any) -> None:
    """What no schema says: whom a request would saw off, when it was asked before, how long to wait for nothing."""
    if case.path_parameters.get("key_id") == os.environ["CROSSFADE_CONTRACT_KEY_ID"]:
        case.path_parameters["key_id"] = "another"  # the key of this run is neither revoked nor rotated
    key = (case.headers or {}).get("Idempotency-Key")
    if isinstance(key, str):
        case.headers["Idempotency-Key"] = _fresh(key)
    wait = (case.query or {}).get("wait")
    if str(wait).isascii() and str(wait).isdigit() and 1 < int(str(wait)) <= MAX_WAIT_S:
        case.query["wait"] = 1


def _fresh(key: str) -> str:
    """Return an Idempotency-Key like this one that names one request only; one that is refused stays as it is.

    Another payload under the same one is 422, and has tests of its own.
    """
    try:
        idempotency.parse(key)
    except IdempotencyKeyInvalid:
        return key
    name, rest = uuid4().hex, key.strip()[: 255 - 32]
    return f'"{name}"' if rest.startswith('"') else f"{rest}{name}"
