"""How often a key may ask, and how it is told."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from uuid import UUID, uuid4

import pytest
from flask import Flask, g
from werkzeug.test import TestResponse

from gateway.domain.keys import ApiKey
from gateway.errors import RateLimited
from gateway.gates.rate_limit import RateLimitGate
from gateway.settings import Settings
from tests.integration.gateway.conftest import Account, problem
from tests.integration.gateway.test_races import at_once


def _items(header: str) -> dict[str, dict[str, int]]:
    """Parse `"name";k=v;k=v, …` of draft-ietf-httpapi-ratelimit-headers-11."""
    found = {}
    for item in header.split(", "):
        name, *parameters = item.split(";")
        assert re.fullmatch(r'"[a-z-]+"', name)
        found[name.strip('"')] = {k: int(v) for k, v in (parameter.split("=") for parameter in parameters)}
    return found


def test_a_key_has_its_own_limit(new_account: Callable[..., Account]) -> None:
    """The sixth of five requests is refused; another key of the same account is not."""
    account, other = new_account(rate_limit=5), new_account(rate_limit=5)
    assert [account.get("/conversations").status_code for _ in range(6)] == [200] * 5 + [429]
    assert other.get("/conversations").status_code == 200


def test_a_refusal_says_when_to_come_back(new_account: Callable[..., Account]) -> None:
    """429 with Retry-After, the policy, what is left, and the older headers."""
    account = new_account(rate_limit=1)
    account.get("/conversations")
    refused = account.get("/conversations")
    problem(refused, 429, "rate_limited")
    wait_s = int(refused.headers["Retry-After"])
    assert 55 <= wait_s <= 60
    assert _items(refused.headers["RateLimit-Policy"]) == {"requests": {"q": 1, "w": 60}}  # the first that is used up
    assert _items(refused.headers["RateLimit"])["requests"]["r"] == 0
    assert wait_s >= _items(refused.headers["RateLimit"])["requests"]["t"]
    assert refused.headers["X-RateLimit-Limit"] == "1"
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert abs(int(refused.headers["X-RateLimit-Reset"]) - time.time() - wait_s) <= 2


def test_sending_has_a_limit_of_its_own(new_account: Callable[..., Account]) -> None:
    """Past it reading goes on; a refused send stores nothing; both limits are shown where both apply."""
    account = new_account(rate_limit=50, send_rate_limit=2)
    conversation = account.make_conversation()
    path = f"/conversations/{conversation}/messages"
    answers = [account.post(path, {"content": "x"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert _items(answers[0].headers["RateLimit-Policy"]) == {
        "requests": {"q": 50, "w": 60},
        "send": {"q": 2, "w": 60},
        "account": {"q": 1_000, "w": 60},
        "account-send": {"q": 600, "w": 60},
    }
    assert [_items(answer.headers["RateLimit"])["send"]["r"] for answer in answers] == [1, 0, 0]
    assert answers[1].headers["X-RateLimit-Remaining"] == "0"
    problem(answers[2], 429, "rate_limited")
    listed = account.get(path)
    assert listed.get_json()["pagination"]["total"] == 2
    assert "send" not in _items(listed.headers["RateLimit"])


def test_every_answer_shows_the_limit(new_account: Callable[..., Account]) -> None:
    """Also refusals and paths that lead nowhere, and they count; health is outside."""
    account = new_account(rate_limit=10)
    answers = [
        account.get("/conversations"),
        account.get("/nothing"),
        account.post("/conversations", {}),
        account.open("DELETE", "/conversations"),
    ]
    assert [answer.status_code for answer in answers] == [200, 404, 422, 405]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["9", "8", "7", "6"]
    assert "RateLimit" not in account.client.get("/livez").headers


def test_a_refused_scope_counts_as_well(new_account: Callable[..., Account]) -> None:
    """Or a key without scopes could ask for ever."""
    account = new_account(scopes=["chat:read"], rate_limit=2)
    answers = [account.post("/conversations", {"contactJid": "x"}).status_code for _ in range(3)]
    assert answers == [403, 403, 429]


def test_defaults_are_the_deployments(new_account: Callable[..., Account]) -> None:
    """A key without limits of its own has 100 requests and 60 messages a minute, its account ten times as much."""
    account = new_account(rate_limit=None, send_rate_limit=None)
    answer = account.post("/conversations/1/messages", {"content": "x"})
    assert _items(answer.headers["RateLimit-Policy"]) == {
        "requests": {"q": 100, "w": 60},
        "send": {"q": 60, "w": 60},
        "account": {"q": 1_000, "w": 60},
        "account-send": {"q": 600, "w": 60},
    }


def test_a_limit_is_exact_under_concurrency(new_account: Callable[..., Account]) -> None:
    """Of 40 requests at once exactly the 15 allowed succeed."""
    account = new_account(rate_limit=15)

    def ask(_: int) -> TestResponse:
        return account.get("/conversations")

    statuses = [answer.status_code for answer in at_once(40, ask)]
    assert (statuses.count(200), statuses.count(429)) == (15, 25)


def test_what_the_account_refuses_takes_nothing_from_the_key(limits_url: str) -> None:
    """Eight keys announce 90 messages each at once; the account has room for six, and two keep what they had."""
    app = Flask(__name__, static_folder=None)
    settings = Settings(database_url="", redis_url=limits_url, send_limit_per_min=100, account_send_limit_per_min=600)
    gate = RateLimitGate(settings, on_failure=lambda: pytest.fail("Redis is gone"))
    gate.install(app)

    def charge(key: ApiKey, count: int) -> object:
        """Return the limit that refuses."""
        with app.test_request_context():
            g.api_key = key
            try:
                gate.charge_sends(count)
            except RateLimited as refused:
                return refused.fields["limit"]
        return None

    def announce(keys: list[ApiKey], index: int) -> object:
        return charge(keys[index], 90)

    for _ in range(20):
        account_id = uuid4()
        keys = [_key_of(account_id) for _ in range(8)]
        refused_by = at_once(8, partial(announce, keys))
        refused = [key for key, limit in zip(keys, refused_by, strict=True) if limit is not None]
        assert set(refused_by) == {None, 600}
        assert [charge(key, 30) for key in refused] == [None, None]


def _key_of(account_id: UUID) -> ApiKey:
    return ApiKey(
        id=uuid4().hex,
        account_id=account_id,
        name="n",
        env="test",
        prefix="p",
        secret_hash=b"",
        scopes=(),
        rate_limit=None,
        send_rate_limit=None,
        created_at=datetime.now(UTC),
        expires_at=None,
        revoked_at=None,
        last_used_at=None,
    )
