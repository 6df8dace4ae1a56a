"""What is wrong with a request about webhooks is told by pointer or by name."""

from typing import Any

import pytest

from tests.integration.gateway.conftest import Account, data, problem
from tests.integration.gateway.webhooks.making import URL, make

GOOD_SINCE = "2026-11-20T00:00:00Z"


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({}, "/url", "required"),
        ({"url": 7}, "/url", "wrong_type"),
        ({"url": ""}, "/url", "too_short"),
        ({"url": "https://" + "a" * 2_100}, "/url", "too_long"),
        ({"url": "ftp://example.com"}, "/url", "url_refused"),
        ({"url": "http://example.com"}, "/url", "url_refused"),
        ({"url": "https://127.0.0.1/x"}, "/url", "url_refused"),
        ({"url": "https://169.254.169.254/latest"}, "/url", "url_refused"),
        ({"url": "https://user:pw@example.com"}, "/url", "url_refused"),
        ({"url": "https://localhost"}, "/url", "url_refused"),
        ({"url": "https://example.com:22"}, "/url", "url_refused"),
        ({"url": URL, "eventTypes": []}, "/eventTypes", "too_short"),
        ({"url": URL, "eventTypes": ["message.nwe"]}, "/eventTypes/0", "event_type_unknown"),
        ({"url": URL, "eventTypes": ["mess*"]}, "/eventTypes/0", "event_type_unknown"),
        ({"url": URL, "eventTypes": ["webhook.ping"]}, "/eventTypes/0", "event_type_unknown"),
        ({"url": URL, "secret": "hunter2"}, "/secret", "secret_malformed"),
        ({"url": URL, "secret": "whsec_dG9vc2hvcnQ="}, "/secret", "secret_malformed"),
        ({"url": URL, "secret": "whsec_é"}, "/secret", "secret_malformed"),
        ({"url": URL, "headers": {"Host": "x"}}, "/headers", "header_refused"),
        ({"url": URL, "headers": {"webhook-id": "x"}}, "/headers", "header_refused"),
        ({"url": URL, "headers": {"X-A": "a\r\nX-B: b"}}, "/headers", "header_malformed"),
        ({"url": URL, "headers": {"X A": "a"}}, "/headers", "header_malformed"),
        ({"url": URL, "headers": {"X-A": "1", "x-a": "2"}}, "/headers", "duplicate"),
        ({"url": URL, "maxInFlight": 0}, "/maxInFlight", "out_of_range"),
        ({"url": URL, "maxPerSecond": 10_000}, "/maxPerSecond", "out_of_range"),
        ({"url": URL, "fifo": "yes"}, "/fifo", "wrong_type"),
        ({"url": URL, "colour": "red"}, "/colour", "unknown_field"),
    ],
)
def test_a_bad_endpoint_is_refused_with_a_pointer(
    owner: Account, body: dict[str, Any], pointer: str, code: str
) -> None:
    """Each fault has its place and its code, and a sentence that says what to do."""
    told = problem(owner.post("/webhooks", body), 422, "validation_failed")
    fault = next(error for error in told["errors"] if error["pointer"].startswith(pointer))
    assert fault["code"] == code or (code == "wrong_type" and fault["code"].startswith("wrong")), fault
    assert fault["detail"].endswith(".")
    assert data(owner.get("/webhooks")) == []


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("/secrets", {"overlapSeconds": -1}, "/overlapSeconds"),
        ("/secrets", {"secret": "x"}, "/secret"),
        ("/test", {"type": "message.*"}, "/type"),
        ("/recover", {}, "/since"),
        ("/recover", {"since": "yesterday"}, "/since"),
        ("/recover", {"since": "2026-11-20T00:00:00"}, "/since"),
        ("/recover", {"since": GOOD_SINCE, "until": GOOD_SINCE}, ""),
        ("/recover", {"since": "2020-01-01T00:00:00Z", "until": GOOD_SINCE}, ""),
        ("/recover", {"since": GOOD_SINCE, "types": ["nope"]}, "/types/0"),
    ],
)
def test_bad_actions_are_refused_with_a_pointer(owner: Account, path: str, body: dict[str, Any], pointer: str) -> None:
    """Also where the fault is in two fields together."""
    webhook_id = make(owner)["id"]
    told = problem(owner.post(f"/webhooks/{webhook_id}{path}", body), 422, "validation_failed")
    assert any(error["pointer"] == pointer for error in told["errors"]), told


@pytest.mark.parametrize("query", ["state=sending", "type=nope", "since=now", "limit=0", "cursor=AAAA", "colour=red"])
def test_bad_filters_are_refused_by_name(owner: Account, query: str) -> None:
    """A listing never guesses."""
    webhook_id = make(owner)["id"]
    told = problem(owner.get(f"/webhooks/{webhook_id}/deliveries?{query}"), 422, "validation_failed")
    assert told["errors"][0]["parameter"] == query.partition("=")[0]
