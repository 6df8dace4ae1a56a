"""What schemathesis is told about this API beyond the document. Loaded by its own process, by name."""

import os
import re
from datetime import UTC
from typing import Any
from uuid import uuid4

import schemathesis
from hypothesis import strategies as st

MOMENTS = st.datetimes(timezones=st.just(UTC)).filter(lambda moment: moment.year >= 1970)

schemathesis.openapi.format("date-time", MOMENTS.map(lambda moment: moment.isoformat().replace("+00:00", "Z")))


@schemathesis.hook
def before_call(context: Any, case: Any, _kwargs: Any) -> None:
    """Nobody saws off the branch they sit on: the key of this run is neither revoked nor rotated.

    And each Idempotency-Key names one request; another payload under the same one has tests of its own.
    """
    if case.path_parameters.get("key_id") == os.environ["CROSSFADE_CONTRACT_KEY_ID"]:
        case.path_parameters["key_id"] = "another"
    key = (case.headers or {}).get("Idempotency-Key")
    if isinstance(key, str) and re.fullmatch(r'[!#-~]{1,200}|"[ !#-~]{1,200}"', key):  # what is refused stays so
        end = '"' if key.startswith('"') else ""
        case.headers["Idempotency-Key"] = f"{key.removesuffix(end)}{uuid4().hex}{end}"
