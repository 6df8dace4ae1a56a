"""What schemathesis is told about this API beyond the document. Loaded by its own process, by name."""

import os
from datetime import UTC
from typing import Any

import schemathesis
from hypothesis import strategies as st

MOMENTS = st.datetimes(timezones=st.just(UTC)).filter(lambda moment: moment.year >= 1970)

schemathesis.openapi.format("date-time", MOMENTS.map(lambda moment: moment.isoformat().replace("+00:00", "Z")))


@schemathesis.hook
def before_call(context: Any, case: Any, _kwargs: Any) -> None:
    """Nobody saws off the branch they sit on: the key of this run is neither revoked nor rotated."""
    if case.path_parameters.get("key_id") == os.environ["CROSSFADE_CONTRACT_KEY_ID"]:
        case.path_parameters["key_id"] = "another"
