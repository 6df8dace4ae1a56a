"""Whoever holds a key that makes keys: no more requests than the account has, and no key that outlives its maker."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from flask import Flask
from psycopg.rows import DictRow
from werkzeug.test import TestResponse

from gateway.app import create_app
from gateway.process.runtime import running
from gateway.settings import Settings
from tests.factories import make_key
from tests.integration.gateway.conftest import Account, data, problem
from tests.integration.gateway.test_races import at_once
from tests.waiting import wait_for

BODY: dict[str, Any] = {"name": "another", "scopes": ["chat:read", "chat:write", "keys:manage"]}


@pytest.fixture
def tight(settings: Settings, app: Flask) -> Iterator[tuple[Flask, Flask]]:
    """Two gateways, as two workers are, that give an account twelve messages and forty requests a minute."""
    assert app  # empties the stores
    narrow = replace(
        settings,
        send_limit_per_min=6,
        account_send_limit_per_min=12,
        account_rate_limit_per_min=40,
        new_keys_per_hour=5,
    )
    with running(create_app(narrow)) as one, running(create_app(narrow)) as other:
        yield one, other


def _as(account: Account, key: str, worker: Flask | None = None) -> Account:
    return Account(id=account.id, key=key, client=worker.test_client() if worker else account.client)


def _plain(new_account: Callable[..., Account], **key: Any) -> Account:
    """An account whose first key has the deployment's limits."""
    return new_account(rate_limit=None, send_rate_limit=None, **key)


def test_another_key_is_not_another_sixty_messages(
    tight: tuple[Flask, Flask], new_account: Callable[..., Account], conn: psycopg.Connection[DictRow]
) -> None:
    """Create, send, revoke, again: the account's messages end where its limit is, in whichever worker."""
    first = _plain(new_account)
    manager = _as(first, first.key, tight[0])
    path = f"/conversations/{manager.make_conversation()}/messages"
    statuses: list[int] = []
    for round_ in range(4):
        made = data(manager.post("/keys", BODY))
        sender = _as(first, made["key"], tight[round_ % 2])
        answers = [sender.post(path, {"content": "x"}) for _ in range(6)]
        statuses += [answer.status_code for answer in answers]
        assert manager.delete(f"/keys/{made['id']}").status_code == 200
    assert (statuses.count(201), statuses.count(429)) == (12, 12)
    assert 'account-send";r=0' in answers[-1].headers["RateLimit"]
    assert int(problem(answers[-1], 429, "rate_limited")["detail"].split()[1]) >= 1
    rows = conn.execute("select count(*) as n from chat_messages").fetchone()
    assert rows == {"n": 12}


def test_announced_imports_count_for_the_account(
    tight: tuple[Flask, Flask], new_account: Callable[..., Account], conn: psycopg.Connection[DictRow]
) -> None:
    """With whichever key they are announced, together with what is sent. A refused one counts for nobody."""
    first = _plain(new_account)
    keys = [first.key, *(make_key(conn, first.id, rate_limit=None, send_rate_limit=None) for _ in range(2))]
    senders = [_as(first, key, tight[number % 2]) for number, key in enumerate(keys)]
    path = f"/conversations/{senders[0].make_conversation()}/messages"
    old = {"direction": "outgoing", "createdAt": "2026-01-01T00:00:00Z", "content": "x"}

    def announce(sender: Account, count: int) -> TestResponse:
        return sender.post(f"{path}:import", {"announce": True, "messages": [old] * count})

    assert senders[0].post(path, {"content": "x"}).status_code == 201
    assert [announce(sender, 5).status_code for sender in senders[:2]] == [200, 200]
    for _ in range(3):  # the key's own six are not charged for what the account refuses
        refused = problem(announce(senders[2], 2), 429, "rate_limited")
    assert (refused["limit"], refused["remaining"], refused["requested"]) == (12, 1, 2)
    last = senders[2].post(path, {"content": "x"})
    assert last.status_code == 201
    assert '"send";r=5' in last.headers["RateLimit"]


def test_the_account_is_counted_exactly(
    tight: tuple[Flask, Flask], new_account: Callable[..., Account], conn: psycopg.Connection[DictRow]
) -> None:
    """Of requests with many keys at once, on two workers, exactly the account's forty are let in."""
    first = _plain(new_account)
    keys = [make_key(conn, first.id, rate_limit=None, send_rate_limit=None) for _ in range(4)]

    def ask(number: int) -> TestResponse:
        return _as(first, keys[number % 4], tight[number % 2]).get("/conversations")

    statuses = [answer.status_code for answer in at_once(60, ask)]
    assert (statuses.count(200), statuses.count(429)) == (40, 20)


def test_a_used_up_key_takes_nothing_from_the_others(
    tight: tuple[Flask, Flask], new_account: Callable[..., Account]
) -> None:
    """What a key's own limit refuses does not count for the account."""
    greedy = _plain(new_account)
    worker = _as(greedy, greedy.key, tight[0])
    path = f"/conversations/{worker.make_conversation()}/messages"
    assert [worker.post(path, {"content": "x"}).status_code for _ in range(12)] == [201] * 6 + [429] * 6
    made = data(worker.post("/keys", BODY))
    answer = _as(greedy, made["key"], tight[1]).post(path, {"content": "x"})
    assert answer.status_code == 201
    assert 'account-send";r=5' in answer.headers["RateLimit"]


def test_a_smaller_limit_opens_no_new_window(
    tight: tuple[Flask, Flask], new_account: Callable[..., Account], conn: psycopg.Connection[DictRow]
) -> None:
    """Nobody empties a window by changing the limit that it is counted for."""
    account = _plain(new_account)
    worker = _as(account, account.key, tight[0])
    path = f"/conversations/{worker.make_conversation()}/messages"
    assert [worker.post(path, {"content": "x"}).status_code for _ in range(7)] == [201] * 6 + [429]
    conn.execute("update chat_api_keys set send_rate_limit = 5")

    def policy() -> bool:
        answer = worker.post(path, {"content": "x"})
        assert answer.status_code == 429
        return '"send";q=5' in answer.headers["RateLimit-Policy"]

    wait_for(policy, "the smaller limit", timeout_s=2.0)


def test_a_limit_that_was_given_is_had(tight: tuple[Flask, Flask], new_account: Callable[..., Account]) -> None:
    """Who stands above the accounts gave a key more than an account has: then the account has as much."""
    strong = new_account(rate_limit=50, send_rate_limit=20)
    policy = _as(strong, strong.key, tight[0]).post("/conversations/1/messages", {"content": "x"}).headers
    assert '"account";q=50;w=60, "account-send";q=20;w=60' in policy["RateLimit-Policy"]


def test_keys_are_made_slowly(tight: tuple[Flask, Flask], new_account: Callable[..., Account]) -> None:
    """Making and rotating count together, for the account and for an hour."""
    account = _plain(new_account)
    manager = _as(account, account.key, tight[0])
    made = [manager.post("/keys", BODY) for _ in range(4)]
    rotated = manager.post(f"/keys/{data(made[0])['id']}/rotate", {})
    assert [answer.status_code for answer in (*made, rotated)] == [201] * 5
    refused = _as(account, data(rotated)["key"], tight[1]).post("/keys", BODY)
    problem(refused, 429, "rate_limited")
    assert '"new-keys";q=5;w=3600' in refused.headers["RateLimit-Policy"]
    assert int(refused.headers["Retry-After"]) > 3_500


def test_no_key_outlives_its_maker(new_account: Callable[..., Account]) -> None:
    """With half a minute left one makes no key for longer, neither anew nor by rotating, not even oneself."""
    ends = datetime.now(UTC) + timedelta(seconds=30)
    short = new_account(expires_at=ends)
    made = data(short.post("/keys", BODY))
    assert datetime.fromisoformat(made["expiresAt"]) == ends
    longer = {"expiresAt": (ends + timedelta(seconds=1)).isoformat()}
    document = problem(short.post("/keys", BODY | longer), 422, "validation_failed")
    assert (document["errors"][0]["pointer"], document["errors"][0]["code"]) == ("/expiresAt", "out_of_range")
    own = short.key.split("_")[2]
    rotated = data(short.post(f"/keys/{own}/rotate", {"overlapSeconds": 3600}))
    assert datetime.fromisoformat(rotated["expiresAt"]) == ends


def test_a_key_that_is_being_replaced_makes_none(account: Account) -> None:
    """While both work the old one only works: it neither makes keys nor rotates others, and others still do."""
    old = data(account.post("/keys", BODY))
    new = data(account.post(f"/keys/{old['id']}/rotate", {"overlapSeconds": 3600}))
    going = _as(account, old["key"])
    assert going.get("/conversations").status_code == 200
    problem(going.post("/keys", BODY), 409, "key_not_active")
    problem(going.post(f"/keys/{new['id']}/rotate", {}), 409, "key_not_active")
    assert _as(account, new["key"]).post("/keys", BODY).status_code == 201
