"""Webhook endpoints over HTTP: made, changed, paused, enabled, deleted."""

import threading
from collections.abc import Callable

import jsonschema_rs
import pytest

from gateway.app import create_app
from gateway.process.runtime import running
from gateway.services import webhooks as service
from gateway.settings import Settings
from realtime_bridge.webhooks.contract import signing
from tests.conftest import one
from tests.factories import make_key
from tests.integration.gateway.conftest import WEBHOOK_SCOPES, Account, data, problem
from tests.integration.gateway.webhooks.making import URL, Conn, delete, make


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
    """Each example fits its schema, and shows what is always there."""
    kinds = data(owner.get("/webhooks/event-types"))
    assert {"message.new", "conversation.assigned", "endpoint.disabled", "webhook.ping"} <= {k["type"] for k in kinds}
    for kind in kinds:
        assert kind["description"]
        schema = kind["schema"]["properties"]["data"]
        assert set(schema["required"]) == set(kind["example"])
        jsonschema_rs.validate(schema, kind["example"])


def test_the_catalogues_schema_is_that_of_real_events(owner: Account, conn: Conn) -> None:
    """What Postgres builds fits the schema, which names all of it."""
    owner.send(owner.make_conversation())
    kinds = {kind["type"]: kind["schema"]["properties"]["data"] for kind in data(owner.get("/webhooks/event-types"))}
    for row in conn.execute("select type, payload from chat_events").fetchall():
        schema, payload = kinds[row["type"]], row["payload"]
        assert set(payload) <= set(schema["properties"])
        jsonschema_rs.validate(schema, payload)


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
        account = Account(id=owner.id, key=make_key(conn, owner.id, scopes=WEBHOOK_SCOPES), client=app.test_client())
        told = problem(account.post("/webhooks", {"url": URL}), 503, "webhooks_not_configured")
        assert "CROSSFADE_SECRETS_KEY" in told["detail"]
        assert account.get("/webhooks").status_code == 200
