"""Deliveries over HTTP: listed, replayed, recovered."""

from datetime import UTC, datetime, timedelta

from tests.conftest import one
from tests.integration.gateway.conftest import Account, data, problem
from tests.integration.gateway.webhooks.making import Conn, make


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
    """What failed and what was never queued is delivered; not what was, nor what is older than the endpoint."""
    conversation = owner.make_conversation()
    owner.send(conversation, "before the endpoint")
    webhook_id = make(owner, eventTypes=["message.new"], fifo=True)["id"]
    for _ in range(3):
        owner.send(conversation)
    move = "update relay_cursors set high_water = (select max(id) from chat_events), holes = {} where sink = 'webhooks'"
    hole = (
        "(select jsonb_build_array(jsonb_build_object('first', max(id), 'last', max(id), 'xmax', 1)) from chat_events)"
    )
    conn.execute(move.format(hole))
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


def test_what_waits_is_retried_now(owner: Account, conn: Conn) -> None:
    """Everything that has a next attempt is due, and the endpoint's rest is over; what was attempted still counts."""
    webhook_id = make(owner)["id"]
    owner.post(f"/webhooks/{webhook_id}/ping")
    conn.execute("update webhook_deliveries set attempts = 3, lane = 1, next_at = now() + interval '2 hours'")
    conn.execute("update webhook_queues set due_at = now() + interval '1 hour', not_before = now() + interval '1 hour'")
    answer = owner.post(f"/webhooks/{webhook_id}/retry")
    assert (answer.status_code, data(answer)) == (202, {"retried": 2, "hasMore": False})
    assert one(
        conn,
        "select q.due_at <= now() and q.not_before <= now() as due, bool_and(d.next_at <= now()) as all_due,"
        " min(d.attempts) as attempts from webhook_queues q join webhook_deliveries d using (webhook_id)"
        " group by q.webhook_id",
    ) == {"due": True, "all_due": True, "attempts": 3}
    assert data(owner.post(f"/webhooks/{webhook_id}/retry"))["retried"] == 0
    conn.execute("update webhook_queues set health = 'disabled'")
    problem(owner.post(f"/webhooks/{webhook_id}/retry"), 409, "webhook_disabled")


def test_one_delivery_is_retried_now(owner: Account, conn: Conn) -> None:
    """What waits is due, what has failed for good is open again; what arrived, and what is not there, is told apart."""
    webhook_id = make(owner)["id"]
    (ping,) = data(owner.get(f"/webhooks/{webhook_id}/deliveries"))
    path = f"/webhooks/{webhook_id}/deliveries/{ping['id']}/retry"
    conn.execute("update webhook_deliveries set attempts = 3, lane = 1, next_at = now() + interval '2 hours'")
    conn.execute("update webhook_queues set due_at = now() + interval '1 hour', not_before = now() + interval '1 hour'")
    for _ in range(2):
        answer = owner.post(path)
        assert answer.status_code == 202
        assert (data(answer)["id"], data(answer)["state"], data(answer)["attempts"]) == (ping["id"], "open", 3)
        assert datetime.fromisoformat(data(answer)["nextAttemptAt"]) <= datetime.now(UTC)
    assert one(conn, "select due_at <= now() and not_before <= now() as due from webhook_queues")["due"]
    conn.execute("update webhook_deliveries set state = 'failed', attempts = 10, settled_at = now()")
    assert data(owner.post(path))["state"] == "open"
    conn.execute("update webhook_deliveries set state = 'delivered', settled_at = now()")
    assert "replay" in problem(owner.post(path), 409, "already_delivered")["detail"]
    problem(owner.post(f"/webhooks/{webhook_id}/deliveries/999999/retry"), 404, "not_found")
    conn.execute("update webhook_queues set health = 'disabled'")
    assert f"/webhooks/{webhook_id}/enable" in problem(owner.post(path), 409, "webhook_disabled")["detail"]
