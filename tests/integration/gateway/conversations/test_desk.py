"""What a support desk does with conversations: change, assign, sleep, let in, read, type."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import redis
from psycopg.rows import DictRow, dict_row

from tests.conftest import one
from tests.factories import make_user
from tests.integration.gateway.conftest import Account, data, problem
from tests.integration.gateway.test_races import at_once


@pytest.fixture
def conversation(account: Account) -> int:
    return account.make_conversation()


def _events(conn: psycopg.Connection[DictRow], conversation: int) -> list[DictRow]:
    query = "select seq, type, payload from chat_events where conversation_id = %s order by seq"
    return conn.execute(query, (conversation,)).fetchall()


def _in(days: float) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


def test_a_change_is_shown_and_told(account: Account, conversation: int, conn: psycopg.Connection[DictRow]) -> None:
    """PATCH answers with the conversation as it is now, and conversation.updated says the same."""
    shown = data(account.patch(f"/conversations/{conversation}", {"contactName": "Ann", "status": "pending"}))
    assert (shown["contactName"], shown["status"], shown["lastSeq"]) == ("Ann", "pending", 1)
    assert shown == data(account.get(f"/conversations/{conversation}"))
    event = _events(conn, conversation)[1]
    assert (event["type"], event["payload"]["status"]) == ("conversation.updated", "pending")
    assert {name: shown[name] for name in event["payload"] if name in shown} == {
        name: value for name, value in event["payload"].items() if name in shown
    }


def test_a_change_to_what_is_already_so_tells_nothing(account: Account, conversation: int) -> None:
    """200, and no number is used."""
    for path, body in (("", {"status": "open"}), ("/assign", {"agentId": None})):
        method = "PATCH" if not path else "POST"
        answer = account.open(method, f"/conversations/{conversation}{path}", json=body)
        assert data(answer)["lastSeq"] == 0


def test_a_priority_is_given_shown_and_told(account: Account, conn: psycopg.Connection[DictRow]) -> None:
    """At creation or later; another change leaves it, the same again tells nothing."""
    made = data(account.post("/conversations", {"contactJid": "a@x", "priority": "high"}))
    path = f"/conversations/{made['id']}"
    changes = ({"priority": "urgent"}, {"contactName": "Ann"}, {"priority": "urgent"}, {"priority": "low"})
    told = [data(account.patch(path, change))["priority"] for change in changes]
    assert [made["priority"], *told] == ["high", "urgent", "urgent", "urgent", "low"]
    assert [e["payload"]["priority"] for e in _events(conn, made["id"])] == ["high", "urgent", "urgent", "low"]
    assert data(account.get(path))["priority"] == "low"


def test_if_match_keeps_two_from_undoing_each_other(account: Account, conversation: int) -> None:
    """With the ETag of an older state a change is refused with 412 and the new ETag; without one it is done."""
    first = account.get(f"/conversations/{conversation}").headers["ETag"]
    changed = account.patch(f"/conversations/{conversation}", {"status": "pending"}, headers={"If-Match": first})
    assert changed.status_code == 200
    late = account.patch(f"/conversations/{conversation}", {"status": "resolved"}, headers={"If-Match": first})
    problem(late, 412, "precondition_failed")
    assert late.headers["ETag"] == changed.headers["ETag"]
    weak = {"If-Match": f"W/{changed.headers['ETag']}"}
    problem(
        account.patch(f"/conversations/{conversation}", {"status": "resolved"}, headers=weak),
        412,
        "precondition_failed",
    )


def test_an_assignment_has_an_event_of_its_own(
    account: Account, conversation: int, conn: psycopg.Connection[DictRow]
) -> None:
    """An agent, a bot, both or neither; what is left out stays."""
    agent = make_user(conn, accounts=[account.id])
    path = f"/conversations/{conversation}/assign"
    assert data(account.post(path, {"agentId": str(agent)}))["assignedAgentId"] == str(agent)
    shown = data(account.post(path, {"botId": "helper"}))
    assert (shown["assignedAgentId"], shown["assignedBotId"]) == (str(agent), "helper")
    assert data(account.post(path, {"agentId": None}))["assignedAgentId"] is None
    assert [event["type"] for event in _events(conn, conversation)[1:]] == ["conversation.assigned"] * 3
    problem(account.post(path, {"agentId": str(uuid4())}), 422, "validation_failed")
    problem(account.post(path, {}), 422, "validation_failed")


def test_what_sleeps_wakes_by_itself(account: Account, conversation: int, conn: psycopg.Connection[DictRow]) -> None:
    """Snoozed until a time: then it is open again, with an event, and once."""
    account.patch(f"/conversations/{conversation}", {"status": "snoozed", "snoozedUntil": _in(1)})
    assert one(conn, "select crossfade.wake_conversations(10) as n")["n"] == 0
    conn.execute("update conversations set snoozed_until = now()")
    assert one(conn, "select crossfade.wake_conversations(10) as n")["n"] == 1
    assert one(conn, "select crossfade.wake_conversations(10) as n")["n"] == 0
    shown = data(account.get(f"/conversations/{conversation}"))
    assert (shown["status"], shown["snoozedUntil"], shown["lastSeq"]) == ("open", None, 2)
    assert _events(conn, conversation)[2]["payload"]["status"] == "open"


def test_another_status_ends_the_sleep(account: Account, conversation: int) -> None:
    """A conversation that is resolved early does not wake later; one may also sleep without an end."""
    path = f"/conversations/{conversation}"
    assert data(account.patch(path, {"status": "snoozed", "snoozedUntil": _in(1)}))["snoozedUntil"] is not None
    assert data(account.patch(path, {"snoozedUntil": None}))["status"] == "snoozed"
    account.patch(path, {"snoozedUntil": _in(2)})
    assert data(account.patch(path, {"status": "resolved"}))["snoozedUntil"] is None


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"snoozedUntil": _in(1)}, "/snoozedUntil", "conflicting"),
        ({"status": "snoozed", "snoozedUntil": _in(-1)}, "/snoozedUntil", "out_of_range"),
        ({"status": "snoozed", "snoozedUntil": _in(400)}, "/snoozedUntil", "out_of_range"),
        ({"status": "snoozed", "snoozedUntil": "tomorrow"}, "/snoozedUntil", "not_a_time"),
        ({"status": "snoozed", "snoozedUntil": "2026-11-20T10:00:00"}, "/snoozedUntil", "not_a_time"),
        ({"status": "snoozed", "snoozedUntil": "0352-11-20T10:00:00Z"}, "/snoozedUntil", "out_of_range"),
        ({"status": "snoozed", "snoozedUntil": 5}, "/snoozedUntil", "wrong_type"),
        ({"status": None}, "/status", "not_allowed"),
        ({"priority": None}, "/priority", "not_allowed"),
        ({"priority": "soon"}, "/priority", "not_allowed"),
        ({"contactJid": None}, "/contactJid", "wrong_type"),
        ({"unreadCount": 0}, "/unreadCount", "unknown_field"),
        ({}, "", "empty"),
    ],
)
def test_a_wrong_change_is_pointed_at(
    account: Account, conversation: int, body: dict[str, Any], pointer: str, code: str
) -> None:
    """422 with the pointer of the fault, and nothing is stored."""
    document = problem(account.patch(f"/conversations/{conversation}", body), 422, "validation_failed")
    assert (document["errors"][0]["pointer"], document["errors"][0]["code"]) == (pointer, code)
    assert data(account.get(f"/conversations/{conversation}"))["lastSeq"] == 0


def test_people_come_and_go(account: Account, conversation: int, conn: psycopg.Connection[DictRow]) -> None:
    """Each change is told with everybody who takes part; the same again is not."""
    path, agent = f"/conversations/{conversation}/participants", str(make_user(conn, accounts=[account.id]))
    for _ in range(2):
        shown = data(account.post(path, {"userId": agent, "role": "agent"}))
        assert {person["userId"]: person["role"] for person in shown["participants"]} == {
            str(account.id): "owner",
            agent: "agent",
        }
    assert data(account.post(path, {"userId": agent, "role": "supervisor"}))["lastSeq"] == 2
    listed = account.get(path).get_json()
    assert [person["role"] for person in listed["data"]] == ["owner", "supervisor"]
    assert listed["pagination"]["total"] == 2
    assert len(data(account.delete(f"{path}/{agent}"))["participants"]) == 1
    problem(account.delete(f"{path}/{agent}"), 404, "not_found")
    told = [len(event["payload"]["participants"]) for event in _events(conn, conversation)]
    assert told == [1, 2, 2, 1]


def test_the_owner_stays(account: Account, conversation: int) -> None:
    """Neither removed nor made an agent; and nobody is let in who does not exist."""
    path = f"/conversations/{conversation}/participants"
    problem(account.delete(f"{path}/{account.id}"), 409, "owner_stays")
    problem(account.post(path, {"userId": str(account.id), "role": "agent"}), 409, "owner_stays")
    document = problem(account.post(path, {"userId": str(uuid4()), "role": "agent"}), 422, "validation_failed")
    assert document["errors"][0] | {"pointer": "/userId", "code": "unknown_user"} == document["errors"][0]


def test_a_conversation_can_be_full(account: Account, conversation: int, conn: psycopg.Connection[DictRow]) -> None:
    """The hundred-and-first other is refused; somebody who is in may still change roles."""
    people = [make_user(conn) for _ in range(101)]
    conn.cursor().executemany(
        "insert into conversation_participants (conversation_id, user_id, role) values (%s, %s, 'client')",
        [(conversation, user_id) for user_id in people[:100]],
    )
    path = f"/conversations/{conversation}/participants"
    problem(account.post(path, {"userId": str(people[100])}), 409, "too_many_participants")
    assert account.post(path, {"userId": str(people[0]), "role": "agent"}).status_code == 200


def test_reading_goes_forward_and_the_unread_count_follows(
    account: Account, conversation: int, conn: psycopg.Connection[DictRow]
) -> None:
    """Up to a seq, by anybody but a client; what was marked read one by one is not counted twice."""
    agent, client = (str(make_user(conn, accounts=[account.id])) for _ in range(2))
    for person, role in ((agent, "agent"), (client, "client")):
        account.post(f"/conversations/{conversation}/participants", {"userId": person, "role": role})
    sent = [account.send(conversation, direction="incoming") for _ in range(4)]
    path = f"/conversations/{conversation}/read"
    assert data(account.post(path, {"seq": sent[3]["seq"], "userId": client}))["unreadCount"] == 4
    account.patch(f"/conversations/{conversation}/messages/{sent[0]['id']}/status", {"status": "read"})
    shown = data(account.post(path, {"seq": sent[1]["seq"], "userId": agent}))
    assert (shown["unreadCount"], shown["readSeq"]) == (2, sent[1]["seq"])
    read = {person["userId"]: person["lastReadSeq"] for person in shown["participants"]}
    assert read == {str(account.id): 0, agent: sent[1]["seq"], client: sent[3]["seq"]}
    before = shown["lastSeq"]
    assert data(account.post(path, {"seq": sent[0]["seq"], "userId": agent}))["lastSeq"] == before
    account.patch(f"/conversations/{conversation}/messages/{sent[1]['id']}/status", {"status": "read"})
    assert data(account.get(f"/conversations/{conversation}"))["unreadCount"] == 2
    assert data(account.post(path, {"seq": sent[3]["seq"]}))["unreadCount"] == 0
    problem(account.post(path, {"seq": 999}), 422, "validation_failed")
    problem(account.post(path, {"seq": 1, "userId": str(uuid4())}), 404, "not_found")


def test_who_takes_no_part_keeps_nobody_from_writing(
    conversation: int, conn: psycopg.Connection[DictRow], database_url: str
) -> None:
    """A stranger's mark is refused before the conversation is locked for it."""
    with psycopg.connect(database_url, row_factory=dict_row) as stranger:
        marked = one(stranger, "select crossfade.mark_read(%(id)s, gen_random_uuid(), 1) as done", id=conversation)
        assert marked["done"] is None
        conn.execute("select from conversations where id = %s for no key update nowait", (conversation,))


def test_readers_at_once_agree(account: Account, conversation: int) -> None:
    """Twenty marks and twenty messages at once: the count is what is left."""
    seqs = [account.send(conversation, direction="incoming")["seq"] for _ in range(5)]

    def act(index: int) -> int:
        if index % 2:
            return account.post(f"/conversations/{conversation}/read", {"seq": seqs[index % 5]}).status_code
        body = {"content": "x", "direction": "incoming"}
        return account.post(f"/conversations/{conversation}/messages", body).status_code

    assert set(at_once(20, act)) <= {200, 201}
    assert data(account.get(f"/conversations/{conversation}"))["unreadCount"] == 10


def test_filters_of_the_list(account: Account) -> None:
    """By channel, by whether something is unread, by when something changed; together with a cursor each."""
    plain = account.make_conversation()
    phone = account.make_conversation(channel="whatsapp")
    account.send(plain, direction="incoming")
    moment = data(account.get(f"/conversations/{plain}"))["updatedAt"]

    def listed(query: str) -> list[int]:
        answer = account.get(f"/conversations?{query}").get_json()
        assert answer["pagination"]["total"] == len(answer["data"])
        return [row["id"] for row in answer["data"]]

    assert listed("channel=whatsapp") == [phone]
    assert listed("unread=true") == [plain]
    assert listed("unread=false") == [phone]
    assert listed(f"updatedSince={moment}") == [plain]
    assert listed("updatedSince=2999-01-01T00:00:00Z") == []
    for query in ("unread=1", "updatedSince=yesterday", "channel=What's"):
        problem(account.get(f"/conversations?{query}"), 422, "validation_failed")


def test_typing_reaches_the_bridges_once_a_second(
    account: Account, conversation: int, conn: psycopg.Connection[DictRow], database_url: str
) -> None:
    """One sign a second for each user and conversation goes out, a stop always; nothing is stored."""
    before = one(conn, "select count(*) as n from chat_events")["n"]
    with psycopg.connect(database_url, autocommit=True) as listener:
        listener.execute("listen chat_ephemeral")
        path = f"/conversations/{conversation}/typing"
        told = [data(account.post(path, {"username": "Ann"}))["told"] for _ in range(3)]
        told += [data(account.post(path, {"isTyping": False}))["told"]]
        heard = [notify.payload for notify in listener.notifies(timeout=5, stop_after=2)]
    assert told == [True, False, False, True]
    assert ['"isTyping": true' in heard[0], '"isTyping": false' in heard[1]] == [True, True]
    assert f'"userId": "{account.id}"' in heard[0]
    assert '"origin": "api"' in heard[0]
    assert one(conn, "select count(*) as n from chat_events")["n"] == before
    problem(account.post(path, {"userId": str(uuid4())}), 404, "not_found")


def test_who_is_present(account: Account, conversation: int, limits_url: str) -> None:
    """Those whose lease has not ended, with the sides that hold one."""
    now, user = time.time(), str(uuid4())
    with redis.Redis.from_url(limits_url) as client:
        leases = {f"{user}|legacy:a": now + 60, f"{user}|supabase:b": now + 60, f"{uuid4()}|legacy:a": now - 1}
        client.zadd(f"crossfade.presence:{conversation}", leases)
    listed = data(account.get(f"/conversations/{conversation}/presence"))
    assert listed == [{"userId": user, "sides": ["legacy", "supabase"]}]


def test_another_account_cannot_change_anything(conversation: int, new_account: Callable[..., Account]) -> None:
    """404 on every way to change a conversation."""
    stranger = new_account()
    path = f"/conversations/{conversation}"
    for method, below, body in (
        ("PATCH", "", {"status": "open"}),
        ("POST", "/assign", {"botId": "b"}),
        ("POST", "/participants", {"userId": str(stranger.id)}),
        ("POST", "/read", {"seq": 0}),
        ("POST", "/typing", {}),
        ("GET", "/presence", None),
    ):
        problem(stranger.open(method, path + below, json=body), 404, "not_found")
