"""Writers that meet: numbers stay gapless, a resend stays one message, locks do not cross."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

import psycopg
from psycopg.rows import DictRow
from werkzeug.test import TestResponse

from tests.conftest import one
from tests.integration.gateway.conftest import Account, data

T = TypeVar("T")


def at_once(count: int, act: Callable[[int], T]) -> list[T]:
    """Run `act` in `count` threads that all begin behind one barrier."""
    barrier = Barrier(count)

    def run(index: int) -> T:
        barrier.wait(10)
        return act(index)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def _log(conn: psycopg.Connection[DictRow], conversation: int) -> list[DictRow]:
    query = "select id, seq, type, payload from chat_events where conversation_id = %s order by seq"
    return conn.execute(query, (conversation,)).fetchall()


def test_fifty_resends_are_one_message(account: Account, conn: psycopg.Connection[DictRow]) -> None:
    """Fifty threads with one clientMessageId: one row, one event, fifty equal answers, and no number is lost."""
    conversation = account.make_conversation()
    body = {"content": "once", "clientMessageId": "c1"}

    def send(_: int) -> TestResponse:
        return account.post(f"/conversations/{conversation}/messages", body)

    answers = at_once(50, send)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.data for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    assert one(conn, "select count(*) as n from chat_messages")["n"] == 1
    assert [row["type"] for row in _log(conn, conversation)] == ["conversation.new", "message.new"]
    assert account.send(conversation)["seq"] == 2


def test_numbers_are_gapless_and_in_commit_order(account: Account, conn: psycopg.Connection[DictRow]) -> None:
    """Senders, resenders and status changes at once: seq has no gap, and log ids rise with it."""
    conversation = account.make_conversation()
    path = f"/conversations/{conversation}/messages"
    targets = [account.send(conversation)["id"] for _ in range(4)]

    def act(index: int) -> list[int]:
        statuses = []
        for step in range(6):
            match index % 4:
                case 0 | 1:
                    answer = account.post(path, {"content": f"{index}-{step}"})
                case 2:
                    answer = account.post(path, {"content": "same", "clientMessageId": f"c{step}"})
                case _:
                    status = ("sent", "delivered", "read")[step // 2]
                    answer = account.patch(f"{path}/{targets[index // 4]}/status", {"status": status})
            statuses.append(answer.status_code)
        return statuses

    statuses = [status for some in at_once(12, act) for status in some]
    assert set(statuses) <= {200, 201}
    log = _log(conn, conversation)
    assert [row["seq"] for row in log] == list(range(len(log)))
    assert [row["id"] for row in log] == sorted(row["id"] for row in log)
    assert one(conn, "select last_seq from conversations")["last_seq"] == len(log) - 1
    messages = conn.execute("select seq, event_id, created_at from chat_messages order by seq").fetchall()
    events = {row["seq"]: row["payload"]["eventId"] for row in log if row["type"] == "message.new"}
    assert {row["seq"]: str(row["event_id"]) for row in messages} == events
    assert [row["created_at"] for row in messages] == sorted(row["created_at"] for row in messages)


def test_one_of_two_status_changes_wins(account: Account, conn: psycopg.Connection[DictRow]) -> None:
    """`failed` and `delivered` at once: one is stored, the other is told 409 about it."""
    conversation = account.make_conversation()
    for _ in range(5):
        path = f"/conversations/{conversation}/messages/{account.send(conversation)['id']}/status"

        def change(index: int, path: str = path) -> int:
            return account.patch(path, {"status": ("failed", "delivered")[index]}).status_code

        assert sorted(at_once(2, change)) == [200, 409]
    assert one(conn, "select count(*) as n from chat_events where type = 'message.status'")["n"] == 5


def test_two_conversations_made_at_once_are_both_whole(account: Account) -> None:
    """Each has its own number and its own event."""
    ids = at_once(8, lambda _: account.make_conversation())
    assert len(set(ids)) == 8
    assert len(data(account.get("/conversations"))) == 8
