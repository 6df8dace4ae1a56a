"""Idempotency-Key: whoever repeats a request gets the first answer, and nothing happens twice."""

from collections.abc import Callable

import psycopg
import pytest
from flask import Flask
from psycopg.rows import DictRow
from werkzeug.test import TestResponse

from gateway.http.idempotency import KEPT_STATUSES
from tests.conftest import one
from tests.integration.gateway.conftest import Account, data, problem
from tests.integration.gateway.test_races import at_once

KEY = {"Idempotency-Key": '"4b0c9c2e-6a0f-4c0e-9a43-8f7a7f5b2a11"'}


def _count(conn: psycopg.Connection[DictRow], table: str) -> int:
    return int(one(conn, f"select count(*) as n from {table}")["n"])


def test_a_repeat_gets_the_first_answer(account: Account, conn: psycopg.Connection[DictRow]) -> None:
    """Status, body and Location; one row, one event, and it says that it is a repeat."""
    first = account.post("/conversations", {"contactJid": "a@x"}, headers=KEY)
    again = account.post("/conversations", {"contactJid": "a@x"}, headers=KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.data == again.data
    assert first.headers["Location"] == again.headers["Location"]
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert _count(conn, "conversations") == _count(conn, "chat_events") == 1


def test_fifty_at_once_are_one(account: Account, conn: psycopg.Connection[DictRow]) -> None:
    """One row, one event, one answer; whoever comes while it is under way is told 409 and when to come again."""
    conversation = account.make_conversation()
    path = f"/conversations/{conversation}/messages"

    def send(_: int) -> list[TestResponse]:
        answers = [account.post(path, {"content": "once"}, headers=KEY)]
        while answers[-1].status_code == 409:
            answers.append(account.post(path, {"content": "once"}, headers=KEY))
        return answers

    answers = [answer for some in at_once(50, send) for answer in some]
    refused = [answer for answer in answers if answer.status_code == 409]
    for answer in refused:
        problem(answer, 409, "idempotency_in_flight")
        assert answer.headers["Retry-After"] == "1"
    done = [answer for answer in answers if answer.status_code == 201]
    assert len(done) == 50
    assert len(done) + len(refused) == len(answers)
    assert len({answer.data for answer in done}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in done) == 1
    assert _count(conn, "chat_messages") == 1
    assert [row["type"] for row in conn.execute("select type from chat_events order by id")] == [
        "conversation.new",
        "message.new",
    ]


def test_another_payload_is_refused(account: Account) -> None:
    """422; the same JSON in another order is the same payload."""
    account.post("/conversations", {"contactJid": "a@x", "contactName": "A"}, headers=KEY)
    problem(account.post("/conversations", {"contactJid": "b@x"}, headers=KEY), 422, "idempotency_key_reused")
    headers = KEY | {"Content-Type": "application/json"}
    again = account.post("/conversations", data=b'{"contactName":"A",  "contactJid":"a@x"}', headers=headers)
    assert again.headers["Idempotency-Replayed"] == "true"


def test_the_place_is_key_method_and_path(account: Account, conn: psycopg.Connection[DictRow]) -> None:
    """The same Idempotency-Key elsewhere is another request."""
    first, second = account.make_conversation(), account.make_conversation()
    for conversation in (first, second):
        answer = account.post(f"/conversations/{conversation}/messages", {"content": "x"}, headers=KEY)
        assert "Idempotency-Replayed" not in answer.headers
    assert _count(conn, "chat_messages") == 2


def test_keys_of_two_accounts_do_not_meet(account: Account, new_account: Callable[..., Account]) -> None:
    """Each has a place of its own, so nobody gets somebody else's answer."""
    mine = account.post("/conversations", {"contactJid": "a@x"}, headers=KEY)
    theirs = new_account().post("/conversations", {"contactJid": "a@x"}, headers=KEY)
    assert data(mine)["id"] != data(theirs)["id"]


def test_a_refusal_by_the_state_is_kept(account: Account, conn: psycopg.Connection[DictRow]) -> None:
    """404 stays 404 for the same request, with the same words; nothing was written."""
    first = account.post("/conversations/77/messages", {"content": "x"}, headers=KEY)
    problem(first, 404, "not_found")
    conn.execute("alter table conversations alter column id restart 77")
    account.make_conversation()
    again = account.post("/conversations/77/messages", {"content": "x"}, headers=KEY)
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (404, "true")


def test_a_bad_body_may_be_corrected(account: Account) -> None:
    """What was never carried out does not use the key up."""
    problem(account.post("/conversations", {}, headers=KEY), 422, "validation_failed")
    assert account.post("/conversations", {"contactJid": "a@x"}, headers=KEY).status_code == 201


def test_a_resend_by_both_names_is_one_message(account: Account, conn: psycopg.Connection[DictRow]) -> None:
    """A clientMessageId that is taken fails its statement inside the joined transaction, and the answer still comes."""
    conversation = account.make_conversation()
    path = f"/conversations/{conversation}/messages"
    body = {"content": "x", "clientMessageId": "c1"}
    first = account.post(path, body)
    second = account.post(path, body, headers=KEY)
    third = account.post(path, body, headers=KEY)
    assert first.data == second.data == third.data
    assert account.send(conversation)["seq"] == 2
    assert _count(conn, "chat_messages") == 2


def test_a_record_is_kept_for_a_day(account: Account, conn: psycopg.Connection[DictRow]) -> None:
    """After it the key is as good as new."""
    account.post("/conversations", {"contactJid": "a@x"}, headers=KEY)
    conn.execute("update idempotency_records set created_at = now() - interval '23 hours 59 minutes'")
    assert "Idempotency-Replayed" in account.post("/conversations", {"contactJid": "a@x"}, headers=KEY).headers
    conn.execute("update idempotency_records set created_at = now() - interval '24 hours'")
    assert "Idempotency-Replayed" not in account.post("/conversations", {"contactJid": "a@x"}, headers=KEY).headers


def test_a_new_keys_text_is_replayed_but_not_stored(account: Account, conn: psycopg.Connection[DictRow]) -> None:
    """A lost answer with a secret can be had again by its caller; the database alone does not open it."""
    body = {"name": "CRM", "scopes": ["chat:read"]}
    first = data(account.post("/keys", body, headers=KEY))
    again = data(account.post("/keys", body, headers=KEY))
    assert first == again
    row = one(conn, "select sealed_answer from idempotency_records")
    assert first["key"].encode() not in bytes(row["sealed_answer"])


@pytest.mark.parametrize("text", ["", '""', '"a', "a b\tc", "x" * 256, "é"])
def test_a_bad_header_is_refused(account: Account, text: str) -> None:
    """400, before anything is done."""
    answer = account.post("/conversations", {"contactJid": "a@x"}, headers={"Idempotency-Key": text})
    problem(answer, 400, "idempotency_key_invalid")


def test_every_post_takes_part(app: Flask, account: Account) -> None:
    """Also one that was added yesterday: the header is looked at on each of them."""
    posts = [
        rule
        for rule in app.url_map.iter_rules()
        if "POST" in (rule.methods or ()) and rule.rule.startswith("/api/") and rule.endpoint != "wuzapi.receive_event"
    ]
    assert len(posts) >= 4
    for rule in posts:
        path = rule.build({name: _any(name) for name in rule.arguments})
        assert path is not None
        answer = account.post(path[1], {}, headers={"Idempotency-Key": '""'})
        problem(answer, 400, "idempotency_key_invalid")


def _any(name: str) -> object:
    return {"key_id": "x", "attachment_id": "2f1c8a9e-3b4d-4c5e-8f60-718293a4b5c6"}.get(name, 1)


def test_only_final_answers_are_kept() -> None:
    """Nothing that asks for another try is."""
    assert not KEPT_STATUSES & {400, 401, 403, 413, 415, 422, 429, 500, 503}
