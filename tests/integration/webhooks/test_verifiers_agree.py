"""Our verifier for subscribers beside the official ones, in Python and JavaScript: what they believe, it believes.

The cases are those of Standard Webhooks' own suites, which no package holds, and forms of secrets from files.
"""

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import standardwebhooks

from realtime_bridge.webhooks.contract import signing
from realtime_bridge.webhooks.receiver import TOLERANCE_S, WebhookRefused, verify
from tests.clients.node import NodeScript

KEY = bytes(range(1, 26))  # 25 bytes, so that base64 ends in padding
SECRET = base64.b64encode(KEY).decode()
BODY = '{"test": 2432232314}'
OTHER = "Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="
Case = tuple[str, dict[str, str], bool]


def _headers(age_s: int = 0, **changed: str | None) -> dict[str, str]:
    """Return those of a signed request, some of them changed or left out."""
    sent_at = int(time.time()) - age_s
    headers: dict[str, str | None] = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(sent_at),
        "webhook-signature": signing.sign([KEY], "msg_1", sent_at, BODY.encode()),
    }
    headers |= {f"webhook-{name}": value for name, value in changed.items()}
    return {name: value for name, value in headers.items() if value is not None}


def _cases() -> dict[str, Case]:
    """Secret, headers and whether the request is to be believed, by what is special about it."""
    right = _headers()["webhook-signature"]
    return {
        "signed": (SECRET, _headers(), True),
        "other case": (SECRET, {name.title(): value for name, value in _headers().items()}, True),
        "several": (SECRET, _headers(signature=f"v1,{OTHER} v2,{OTHER} {right} v1,{OTHER}"), True),
        "prefix": (f"whsec_{SECRET}", _headers(), True),
        "unpadded": (f"whsec_{SECRET.rstrip('=')}", _headers(), True),
        "end of line": (f"whsec_{SECRET}\n", _headers(), True),
        "no id": (SECRET, _headers(id=None), False),
        "no timestamp": (SECRET, _headers(timestamp=None), False),
        "no signature": (SECRET, _headers(signature=None), False),
        "another id": (SECRET, _headers(id="msg_2"), False),
        "timestamp in words": (SECRET, _headers(timestamp="hello"), False),
        "wrong": (SECRET, _headers(signature=f"v1,{OTHER}"), False),
        "half": (SECRET, _headers(signature=right[:8]), False),
        "none": (SECRET, _headers(signature="v1,"), False),
        "another version": (SECRET, _headers(signature=right.replace("v1,", "v2,")), False),
        "old": (SECRET, _headers(TOLERANCE_S + 5), False),
        "ahead": (SECRET, _headers(-TOLERANCE_S - 5), False),
        "another secret": (base64.b64encode(b"x" * 24).decode(), _headers(), False),
        "no secret": ("", _headers(), False),
    }


@pytest.fixture(scope="module")
def javascript() -> Iterator[NodeScript]:
    with NodeScript("webhooks/verify.mjs") as script:
        yield script


@pytest.mark.parametrize("name", _cases())
def test_what_they_believe_ours_believes(javascript: NodeScript, name: str) -> None:
    """And nothing else; an event that is believed is the same to all."""
    secret, headers, is_believed = _cases()[name]
    ours = _ours(secret, headers)
    javascript.send(secret=secret, headers=headers, body=base64.b64encode(BODY.encode()).decode())
    theirs = [_python(secret, headers), javascript.next_line().get("event")]
    assert ours == (json.loads(BODY) if is_believed else None)
    assert ours == next((event for event in theirs if event is not None), None)


def _ours(secret: str, headers: dict[str, str]) -> Any:
    try:
        return verify(BODY, headers, secret)
    except WebhookRefused:
        return None


def _python(secret: str, headers: dict[str, str]) -> Any:
    try:
        return standardwebhooks.Webhook(secret).verify(BODY, headers)
    except Exception:  # noqa: BLE001 the secret's faults have errors of their own
        return None
