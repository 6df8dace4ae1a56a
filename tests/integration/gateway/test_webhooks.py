"""Webhook endpoints over HTTP: made, changed, rotated, paused, looked into, recovered."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.rows import DictRow
from werkzeug.test import TestResponse

from gateway.app import create_app
from gateway.runtime import running
from gateway.services import webhooks as service
from gateway.settings import Settings
from realtime_bridge.webhooks import signing
from tests.conftest import one
from tests.factories import make_key
from tests.integration.gateway.conftest import Account, data, problem

Conn = psycopg.Connection[DictRow]
URL = "https://hooks.example.com/in?tenant=7"
SCOPES = ("chat:read", "chat:write", "webhooks:manage")


@pytest.fixture
def owner(new_account: Callable[..., Account]) -> Account:
    return new_account(scopes=SCOPES)


@pytest.fixture
def stranger(new_account: Callable[..., Account]) -> Account:
    return new_account(scopes=SCOPES)


def make(owner: Account, **fields: Any) -> dict[str, Any]:
    answer = owner.post("/webhooks", {"url": URL} | fields)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = data(answer)
    return made


def delete(owner: Account, path: str) -> TestResponse:
    return owner.open("DELETE", path)


def test_a_webhook_is_made_with_a_secret_that_is_shown_once(owner: Account, conn: Conn) -> None:
    """POST answers the secret; GET never does, and the database holds only a sealed one."""
    answer = owner.post("/webhooks", {"url": URL, "headers": {"Authorization": "Bearer hunter2"}})
    assert answer.status_code == 201
    made = data(answer)
    signing.key_of(made["secret"])
    shown = data(owner.get(answer.headers["Location"]))
    assert shown == {name: value for name, value in made.items() if name != "secret"}
    assert shown["headerNames"] == ["Authorization"]
    assert (shown["health"], shown["paused"], shown["eventTypes"]) == ("healthy", False, ["*"])
    stored = one(conn, "select w::text || s::text as row from chat_external_webhooks w, webhook_secrets s")["row"]
    assert "hunter2" not in stored
    assert signing.key_of(made["secret"]).hex() not in stored


def test_making_a_webhook_queues_a_ping(owner: Account) -> None:
    """The endpoint hears from us at once, and whether it answers changes nothing about its creation."""
    made = make(owner)
    (ping,) = data(owner.get(f"/webhooks/{made['id']}/deliveries"))
    assert (ping["type"], ping["state"], ping["attempts"]) == ("webhook.ping", "open", 0)


def test_settings_change_one_by_one(owner: Account) -> None:
    """What PATCH leaves out stays; null takes a description or a rate away."""
    made = make(owner, description="CRM", maxPerSecond=5, eventTypes=["message.*"])
    path = f"/webhooks/{made['id']}"
    changed = data(owner.patch(path, {"maxInFlight": 3, "description": None}))
    assert (changed["maxInFlight"], changed["description"], changed["maxPerSecond"]) == (3, None, 5)
    assert (changed["url"], changed["eventTypes"]) == (URL, ["message.*"])
    assert data(owner.patch(path, {"maxPerSecond": None, "fifo": True}))["maxPerSecond"] is None
    assert data(owner.patch(path, {"headers": {"X-A": "1"}}))["headerNames"] == ["X-A"]
    assert data(owner.patch(path, {"url": "https://other.example.com"}))["headerNames"] == ["X-A"]


def test_secrets_rotate_with_an_overlap(owner: Account) -> None:
    """After a rotation both secrets are live, the old one until the overlap ends; the last one stays."""
    made = make(owner, secret=signing.new_secret())
    path = f"/webhooks/{made['id']}/secrets"
    rotated = owner.post(path, {"overlapSeconds": 3600})
    assert rotated.status_code == 201
    assert data(rotated)["secret"] != made["secret"]
    newest, oldest = data(owner.get(path))
    assert newest["expiresAt"] is None
    assert oldest["expiresAt"] is not None
    assert oldest["hint"] == made["secret"][-4:]
    assert delete(owner, f"{path}/{oldest['id']}").status_code == 204
    problem(delete(owner, f"{path}/{newest['id']}"), 409, "last_secret")
    problem(delete(owner, f"{path}/{oldest['id']}"), 404, "not_found")


def test_a_rotation_without_overlap_ends_the_old_secret_at_once(owner: Account) -> None:
    """For a secret that leaked."""
    path = f"/webhooks/{make(owner)['id']}/secrets"
    owner.post(path, {"overlapSeconds": 0})
    assert len(data(owner.get(path))) == 1


def test_no_more_than_five_secrets_are_live(owner: Account) -> None:
    """Each one signs every request."""
    path = f"/webhooks/{make(owner)['id']}/secrets"
    for _ in range(service.MAX_LIVE_SECRETS - 1):
        assert owner.post(path, {}).status_code == 201
    problem(owner.post(path, {}), 409, "too_many_secrets")


def test_an_account_has_a_bounded_number_of_webhooks(owner: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when they are made at the same moment."""
    monkeypatch.setattr(service, "MAX_WEBHOOKS", 3)
    statuses: list[int] = []
    barrier = threading.Barrier(6)

    def create() -> None:
        client = Account(id=owner.id, key=owner.key, client=owner.client.application.test_client())
        barrier.wait()
        statuses.append(client.post("/webhooks", {"url": URL}).status_code)

    threads = [threading.Thread(target=create) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201, 201, 201, 409, 409, 409]
    problem(owner.post("/webhooks", {"url": URL}), 409, "too_many_webhooks")


def test_pausing_keeps_and_resuming_wakes(owner: Account, conn: Conn) -> None:
    """A paused endpoint says so, and its queue is looked at again when it resumes."""
    path = f"/webhooks/{make(owner)['id']}"
    assert data(owner.post(f"{path}/pause"))["paused"] is True
    conn.execute("update webhook_queues set due_at = 'infinity'")
    assert data(owner.post(f"{path}/resume"))["paused"] is False
    assert one(conn, "select due_at <= now() as due from webhook_queues")["due"]


def test_enabling_has_a_cooldown_and_changes_nothing_where_nothing_is_disabled(owner: Account, conn: Conn) -> None:
    """A disabled endpoint starts anew, once in five minutes; a failing one keeps its count."""
    path = f"/webhooks/{make(owner)['id']}"
    conn.execute("update webhook_queues set consecutive_failures = 3")
    assert data(owner.post(f"{path}/enable"))["consecutiveFailures"] == 3
    disable = "update webhook_queues set health = 'disabled', disabled_at = now(), disabled_reason = 'gone'"
    conn.execute(disable)
    assert data(owner.get(path))["disabledReason"] == "gone"
    problem(owner.post(f"{path}/ping"), 409, "webhook_disabled")
    enabled = data(owner.post(f"{path}/enable"))
    assert (enabled["health"], enabled["consecutiveFailures"], enabled["disabledReason"]) == ("healthy", 0, None)
    conn.execute(disable)
    refused = owner.post(f"{path}/enable")
    problem(refused, 409, "enabled_too_soon")
    assert 1 <= int(refused.headers["Retry-After"]) <= 300


def test_a_test_event_is_the_catalogues_example(owner: Account, conn: Conn) -> None:
    """Of any type, whatever the endpoint subscribes to."""
    path = f"/webhooks/{make(owner, eventTypes=['conversation.new'])['id']}"
    answer = owner.post(f"{path}/test", {"type": "message.status"})
    assert answer.status_code == 202
    assert data(answer)["type"] == "message.status"
    queued = one(conn, "select event_id, payload from webhook_deliveries where type = 'message.status'")
    assert queued["payload"]["eventId"] == str(queued["event_id"])


def test_the_catalogue_tells_every_type_with_schema_and_example(owner: Account) -> None:
    """Each example satisfies the parts of its schema that can be checked without a library."""
    kinds = data(owner.get("/webhooks/event-types"))
    assert {"message.new", "conversation.assigned", "endpoint.disabled", "webhook.ping"} <= {k["type"] for k in kinds}
    for kind in kinds:
        assert kind["description"]
        schema = kind["schema"]["properties"]["data"]
        assert set(schema["required"]) == set(kind["example"])


def test_the_catalogues_schema_is_that_of_real_events(owner: Account, conn: Conn) -> None:
    """What Postgres builds has the properties that the schema requires, and no null where it allows none."""
    owner.send(owner.make_conversation())
    kinds = {kind["type"]: kind["schema"]["properties"]["data"] for kind in data(owner.get("/webhooks/event-types"))}
    for row in conn.execute("select type, payload from chat_events").fetchall():
        schema, payload = kinds[row["type"]], row["payload"]
        assert set(schema["required"]) <= set(payload) <= set(schema["properties"])
        for name, value in payload.items():
            expected = schema["properties"].get(name, {}).get("type", [])
            if value is None:
                assert "null" in expected, name


def test_deliveries_and_attempts_are_listed_by_cursor(owner: Account, conn: Conn) -> None:
    """Pages join without gap or repeat; filters hold; a cursor of other filters is refused."""
    webhook_id = make(owner)["id"]
    for _ in range(4):
        owner.post(f"/webhooks/{webhook_id}/ping")
    path = f"/webhooks/{webhook_id}/deliveries"
    seen: list[int] = []
    cursor = ""
    while True:
        page = owner.get(f"{path}?limit=2{cursor}").get_json()
        seen += [delivery["id"] for delivery in page["data"]]
        if not page["pagination"]["hasMore"]:
            break
        cursor = f"&cursor={page['pagination']['nextCursor']}"
    assert len(seen) == len(set(seen)) == 5
    assert seen == sorted(seen, reverse=True)
    assert data(owner.get(f"{path}?state=failed")) == []
    assert data(owner.get(f"{path}?until=2020-01-01T00:00:00Z")) == []
    problem(owner.get(f"{path}?state=open{cursor}"), 422, "validation_failed")
    _log_attempt(conn, webhook_id, seen[0])
    (attempt,) = data(owner.get(f"/webhooks/{webhook_id}/attempts?outcome=timeout"))
    assert (attempt["deliveryId"], attempt["timing"]["totalMs"], attempt["response"]) == (seen[0], 15_000, None)
    assert data(owner.get(f"/webhooks/{webhook_id}/attempts?outcome=delivered")) == []
    assert data(owner.get(f"{path}/{seen[0]}"))["attemptLog"] == [attempt]
    exported = owner.get(f"/webhooks/{webhook_id}/attempts/export")
    assert exported.content_type == "application/x-ndjson"
    assert len(exported.text.splitlines()) == 1


def _log_attempt(conn: Conn, webhook_id: int, delivery_id: int) -> None:
    conn.execute(
        "insert into webhook_attempts (webhook_id, delivery_id, event_id, type, number, replay, started_at, outcome,"
        " total_ms, secret_ids) select webhook_id, id, event_id, type, 1, false, now(), 'timeout', 15000, '{}'"
        " from webhook_deliveries where id = %s and webhook_id = %s",
        (delivery_id, webhook_id),
    )


def test_one_delivery_is_replayed(owner: Account, conn: Conn) -> None:
    """A settled one is queued again under its own id; an open one is left as it is."""
    webhook_id = make(owner)["id"]
    (ping,) = data(owner.get(f"/webhooks/{webhook_id}/deliveries"))
    path = f"/webhooks/{webhook_id}/deliveries/{ping['id']}/replay"
    assert data(owner.post(path))["state"] == "open"
    conn.execute("update webhook_deliveries set state = 'failed', attempts = 10, settled_at = now()")
    again = owner.post(path)
    assert again.status_code == 202
    assert (data(again)["state"], data(again)["eventId"]) == ("open", ping["eventId"])
    assert one(conn, "select replay, lane from webhook_deliveries") == {"replay": True, "lane": 1}
    problem(owner.post(f"/webhooks/{webhook_id}/deliveries/999999/replay"), 404, "not_found")


def test_a_range_is_recovered_once(owner: Account, conn: Conn) -> None:
    """What failed and what was never queued is delivered; what was delivered is not, and asking again finds nothing."""
    conversation = owner.make_conversation()
    for _ in range(3):
        owner.send(conversation)
    move = "update relay_cursors set high_water = (select max(id) from chat_events), holes = {} where sink = 'webhooks'"
    hole = (
        "(select jsonb_build_array(jsonb_build_object('first', max(id), 'last', max(id), 'xmax', 1)) from chat_events)"
    )
    conn.execute(move.format(hole))
    webhook_id = make(owner, eventTypes=["message.new"], fifo=True)["id"]
    since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    answer = owner.post(f"/webhooks/{webhook_id}/recover", {"since": since, "types": ["message.*"]})
    assert answer.status_code == 202
    assert data(answer) == {"failed": 0, "missing": 2, "hasMore": False}  # the third is still the sink's to queue
    conn.execute(move.format("'[]'"))
    assert data(owner.post(f"/webhooks/{webhook_id}/recover", {"since": since}))["missing"] == 1
    assert one(conn, "select bool_and(fifo) as fifo from webhook_deliveries where log_id is not null")["fifo"]
    conn.execute(
        "update webhook_deliveries set state = 'failed' where log_id = (select max(log_id) from webhook_deliveries)"
    )
    conn.execute("update webhook_deliveries set state = 'delivered' where state = 'open'")
    again = data(owner.post(f"/webhooks/{webhook_id}/recover", {"since": since, "types": ["message.*"]}))
    assert again == {"failed": 1, "missing": 0, "hasMore": False}
    assert data(owner.post(f"/webhooks/{webhook_id}/recover", {"since": since}))["failed"] == 0


def test_deleting_takes_everything_along(owner: Account, conn: Conn) -> None:
    """The endpoint is gone, and what was queued for it is never claimed."""
    path = f"/webhooks/{make(owner)['id']}"
    assert delete(owner, path).status_code == 204
    problem(owner.get(path), 404, "not_found")
    assert one(conn, "select count(*) as n from webhook_queues")["n"] == 0
    assert one(conn, "select count(*) as n from webhook_secrets")["n"] == 0


def test_webhooks_need_a_scope_of_their_own(new_account: Callable[..., Account]) -> None:
    """A key that reads and writes chat may not look at webhooks; one for webhooks may not read chat."""
    problem(new_account(scopes=("chat:read", "chat:write")).get("/webhooks"), 403, "scope_missing")
    only = new_account(scopes=("webhooks:manage",))
    assert only.get("/webhooks").status_code == 200
    problem(only.get("/conversations"), 403, "scope_missing")


def test_without_a_key_for_secrets_the_answer_says_what_to_set(
    settings: Settings, database_url: str, conn: Conn, owner: Account
) -> None:
    """Listing still works; what needs to seal is 503 with a sentence for the operator."""
    import dataclasses

    with running(create_app(dataclasses.replace(settings, secrets=None))) as app:
        account = Account(id=owner.id, key=make_key(conn, owner.id, scopes=SCOPES), client=app.test_client())
        told = problem(account.post("/webhooks", {"url": URL}), 503, "webhooks_not_configured")
        assert "CROSSFADE_SECRETS_KEY" in told["detail"]
        assert account.get("/webhooks").status_code == 200


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
