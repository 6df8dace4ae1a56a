"""Conversations over HTTP."""

from collections.abc import Callable
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.rows import DictRow

from gateway.domain.conversations import ConversationFilter
from gateway.domain.pages import MAX_SORT_US, Position
from gateway.http import page_cursors
from tests.conftest import one
from tests.factories import make_user
from tests.integration.gateway.conftest import Account, data, problem


def test_a_conversation_is_shown_the_same_by_post_and_get(account: Account) -> None:
    """POST answers 201 with a Location, and GET there gives the same document."""
    created = account.post("/conversations", {"contactJid": "a@x", "contactName": "Ann", "channel": "whatsapp"})
    assert created.status_code == 201
    fetched = account.get(created.headers["Location"])
    assert fetched.status_code == 200
    assert data(fetched) == data(created)
    assert data(created) | {"contactJid": "a@x", "contactName": "Ann", "channel": "whatsapp"} == data(created)
    assert data(created)["status"] == "open"
    assert data(created)["lastSeq"] == 0


def test_a_conversation_has_the_fields_of_its_event(account: Account, conn: psycopg.Connection[DictRow]) -> None:
    """As in conversation.new, but lastSeq for seq, no eventId, and its participants."""
    shown = data(account.post("/conversations", {"contactJid": "a@x"}))
    event = one(conn, "select * from chat_events where conversation_id = %(id)s", id=shown["id"])
    payload = event["payload"]
    assert (event["type"], event["seq"], payload["seq"]) == ("conversation.new", 0, 0)
    assert event["account_id"] == account.id
    assert payload["eventId"] == str(event["event_id"])
    shared = payload.keys() - {"seq", "eventId"}
    assert shown.keys() == shared | {"lastSeq", "participants"}
    assert {name: shown[name] for name in shared} == {name: payload[name] for name in shared}


def test_the_account_takes_part_as_owner(account: Account, conn: psycopg.Connection[DictRow]) -> None:
    """With the participants that were named, each with its role."""
    agent, client = (make_user(conn, accounts=[account.id]) for _ in range(2))
    people = [{"userId": str(agent), "role": "agent"}, {"userId": str(client), "role": "client"}]
    shown = data(account.post("/conversations", {"contactJid": "a@x", "participants": people}))
    roles = {person["userId"]: person["role"] for person in shown["participants"]}
    assert roles == {str(account.id): "owner", str(agent): "agent", str(client): "client"}


def test_unknown_users_are_pointed_at(account: Account, conn: psycopg.Connection[DictRow]) -> None:
    """Each id that no user has gets a pointer; nothing is stored."""
    known = make_user(conn, accounts=[account.id])
    people = [{"userId": str(user_id), "role": "agent"} for user_id in (uuid4(), known, uuid4())]
    body = {"contactJid": "a@x", "participants": people, "assignedAgentId": str(uuid4())}
    document = problem(account.post("/conversations", body), 422, "validation_failed")
    faults = [(fault["pointer"], fault["code"]) for fault in document["errors"]]
    assert faults == [
        ("/participants/0/userId", "unknown_user"),
        ("/participants/2/userId", "unknown_user"),
        ("/assignedAgentId", "unknown_user"),
    ]
    assert one(conn, "select count(*) as n from conversations")["n"] == 0


def test_nobody_takes_part_twice(account: Account, conn: psycopg.Connection[DictRow]) -> None:
    """Neither a participant named twice nor the owner named again."""
    user = make_user(conn, accounts=[account.id])
    people = [{"userId": str(user_id), "role": "agent"} for user_id in (user, account.id, user)]
    answer = account.post("/conversations", {"contactJid": "a@x", "participants": people})
    faults = problem(answer, 422, "validation_failed")["errors"]
    assert [(fault["pointer"], fault["code"]) for fault in faults] == [
        ("/participants/1/userId", "duplicate"),
        ("/participants/2/userId", "duplicate"),
    ]


def test_the_list_follows_the_latest_message(account: Account) -> None:
    """A message brings its conversation to the top."""
    first, second, third = (account.make_conversation() for _ in range(3))
    account.send(first)
    listed = [row["id"] for row in data(account.get("/conversations"))]
    assert listed == [first, third, second]


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_cursors_walk_through_everything_once(account: Account, limit: int) -> None:
    """Page by page, each conversation comes exactly once, in order, even while new ones arrive on top."""
    expected = [account.make_conversation() for _ in range(7)][::-1]
    seen: list[int] = []
    path = f"/conversations?limit={limit}"
    while True:
        answer = account.get(path)
        seen += [row["id"] for row in data(answer)]
        pagination = answer.get_json()["pagination"]
        assert pagination["limit"] == limit
        assert pagination["hasMore"] == (pagination["nextCursor"] is not None)
        if not pagination["hasMore"]:
            break
        account.make_conversation()
        path = f"/conversations?limit={limit}&cursor={pagination['nextCursor']}"
    assert seen == expected


def test_pages_are_kept_for_compatibility(account: Account) -> None:
    """`page` counts from 1, `total` is the number of all; a page past the end is empty."""
    ids = [account.make_conversation() for _ in range(5)][::-1]
    second = account.get("/conversations?limit=2&page=2").get_json()
    assert [row["id"] for row in second["data"]] == ids[2:4]
    assert second["pagination"] | {"page": 2, "limit": 2, "total": 5, "hasMore": True} == second["pagination"]
    past = account.get("/conversations?limit=2&page=9").get_json()
    assert (past["data"], past["pagination"]["hasMore"]) == ([], False)


def test_filters_narrow_the_list(account: Account, conn: psycopg.Connection[DictRow]) -> None:
    """By status, by agent, and by both; `total` counts what the filters leave."""
    agent = make_user(conn, accounts=[account.id])
    plain = account.make_conversation()
    snoozed = account.make_conversation(status="snoozed")
    both = account.make_conversation(status="snoozed", assignedAgentId=str(agent))

    def listed(query: str) -> list[int]:
        answer = account.get(f"/conversations?{query}").get_json()
        assert answer["pagination"]["total"] == len(answer["data"])
        return [row["id"] for row in answer["data"]]

    assert listed("status=snoozed") == [both, snoozed]
    assert listed("status=open") == [plain]
    assert listed(f"assignedTo={agent}") == [both]
    assert listed(f"assignedTo={agent}&status=open") == []


def test_the_list_shows_one_priority(account: Account) -> None:
    """What was not given one is normal; `total` counts what the filter leaves, and other words are refused."""
    urgent = account.make_conversation(priority="urgent")
    plain = account.make_conversation()

    def listed(query: str) -> list[int]:
        answer = account.get(f"/conversations?{query}").get_json()
        assert answer["pagination"]["total"] == len(answer["data"])
        return [row["id"] for row in answer["data"]]

    assert listed("priority=urgent") == [urgent]
    assert listed("priority=normal&status=open") == [plain]
    assert listed("priority=urgent&status=pending") == listed("priority=low") == []
    refused = problem(account.get("/conversations?priority=soon"), 422, "validation_failed")
    assert refused["errors"][0]["parameter"] == "priority"


def test_a_cursor_only_goes_with_its_filters(account: Account) -> None:
    """With other filters it is refused, not silently misread."""
    for _ in range(2):
        account.make_conversation()
    cursor = account.get("/conversations?limit=1").get_json()["pagination"]["nextCursor"]
    document = problem(account.get(f"/conversations?status=open&cursor={cursor}"), 422, "validation_failed")
    assert document["errors"][0]["parameter"] == "cursor"
    both = problem(account.get(f"/conversations?page=1&cursor={cursor}"), 422, "validation_failed")
    assert both["errors"][0]["parameter"] == "page"


def test_conversations_of_one_moment_are_told_apart(
    account: Account, conn: psycopg.Connection[DictRow], new_account: Callable[..., Account]
) -> None:
    """Equal times to the microsecond lose and repeat nothing at a page's edge."""
    ids = sorted((account.make_conversation() for _ in range(5)), reverse=True)
    conn.execute("update conversations set created_at = '2026-01-01 00:00:00.123457Z'")
    new_account().make_conversation()
    seen: list[int] = []
    cursor = ""
    while cursor is not None:
        answer = account.get(f"/conversations?limit=2{cursor and f'&cursor={cursor}'}").get_json()
        seen += [row["id"] for row in answer["data"]]
        cursor = answer["pagination"]["nextCursor"]
    assert seen == ids


def test_a_participant_is_not_an_owner(
    account: Account, conn: psycopg.Connection[DictRow], new_account: Callable[..., Account]
) -> None:
    """The key of a user who merely takes part opens only that user's own account."""
    member = new_account(accounts=[account.id])
    conversation = account.make_conversation(participants=[{"userId": str(member.id), "role": "agent"}])
    problem(member.get(f"/conversations/{conversation}"), 404, "not_found")
    assert data(member.get("/conversations")) == []
    assert isinstance(member.id, UUID)


@pytest.mark.parametrize("sort_us", [0, MAX_SORT_US])
def test_the_furthest_cursors_still_work(account: Account, sort_us: int) -> None:
    """Any position that decodes is one that the query can take."""
    everything = ConversationFilter(status=None, assigned_to=None)
    conversation = account.make_conversation()
    cursor = page_cursors.encode(Position(sort_us=sort_us, id=2**63 - 1), account.id, everything)
    listed = [row["id"] for row in data(account.get(f"/conversations?cursor={cursor}"))]
    assert listed == ([conversation] if sort_us else [])
