"""Who gets in, who does not, and what each is told."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
from flask import Flask
from psycopg.rows import DictRow

from gateway.domain import key_text
from tests.conftest import one
from tests.factories import make_key
from tests.integration.gateway.conftest import API, Account, problem

LIST = f"{API}/conversations"


def test_both_headers_open_the_door(account: Account) -> None:
    """X-API-Key, Authorization: Bearer, or both with the same key."""
    for headers in (
        {"X-API-Key": account.key},
        {"Authorization": f"Bearer {account.key}"},
        {"Authorization": f"bearer   {account.key}"},
        {"Authorization": f"Bearer {account.key}", "X-API-Key": account.key},
    ):
        assert account.client.get(LIST, headers=headers).status_code == 200


def test_two_different_keys_are_a_contradiction(account: Account) -> None:
    """400: guessing which one was meant could open the wrong account."""
    headers = {"Authorization": f"Bearer {key_text.mint('test').text}", "X-API-Key": account.key}
    problem(account.client.get(LIST, headers=headers), 400, "api_key_conflict")


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic eDp5"}, {"X-API-Key": " "}, {"Authorization": "x"}])
def test_no_key_is_asked_for_one(app: Flask, headers: dict[str, str]) -> None:
    """401 with the challenge of RFC 9110."""
    answer = app.test_client().get(LIST, headers=headers)
    problem(answer, 401, "api_key_missing")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


def test_wrong_keys_are_all_told_the_same(account: Account) -> None:
    """Malformed, unknown and right id with a wrong secret: byte for byte one answer but for the request id."""
    key = key_text.parse(account.key)
    forged = f"{key.prefix}_{'0' * 30}"
    forged += key_text.checksum(forged)
    texts = set()
    for text in ("nonsense", account.key[:-1] + "_", key_text.mint("test").text, forged, "cf_test_x_y", "é" * 9):
        answer = account.client.get(
            LIST, headers={"X-API-Key": text.encode().decode("latin-1"), "X-Request-Id": "same"}
        )
        problem(answer, 401, "api_key_invalid")
        texts.add(answer.text)
    assert len(texts) == 1


def test_the_owner_of_a_dead_key_is_told_why(
    account: Account, new_account: Callable[..., Account], conn: psycopg.Connection[DictRow]
) -> None:
    """Expired and revoked have their own codes, but only for whoever holds the secret."""
    expired = new_account(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    problem(expired.get("/conversations"), 401, "api_key_expired")
    conn.execute("update chat_api_keys set revoked_at = now() where user_id = %s", (account.id,))
    problem(account.get("/conversations"), 401, "api_key_revoked")
    forged = f"{key_text.parse(account.key).prefix}_{'0' * 30}"
    forged += key_text.checksum(forged)
    problem(account.client.get(LIST, headers={"X-API-Key": forged}), 401, "api_key_invalid")


def test_a_key_expires_while_it_is_known(new_account: Callable[..., Account]) -> None:
    """The clock decides in each request, whatever the worker has cached."""
    account = new_account(expires_at=datetime.now(UTC) + timedelta(seconds=0.4))
    assert account.get("/conversations").status_code == 200
    deadline = datetime.now(UTC) + timedelta(seconds=5)
    while account.get("/conversations").status_code == 200:
        assert datetime.now(UTC) < deadline
    problem(account.get("/conversations"), 401, "api_key_expired")


def test_scopes_are_named_when_missing(new_account: Callable[..., Account], conn: psycopg.Connection[DictRow]) -> None:
    """A reader may not write, a writer may not read; the answer says which scope it takes."""
    reader, writer = new_account(scopes=["chat:read"]), new_account(scopes=["chat:write"])
    refused = reader.post("/conversations", {"contactJid": "x"})
    assert "chat:write" in problem(refused, 403, "scope_missing")["detail"]
    assert 'scope="chat:write"' in refused.headers["WWW-Authenticate"]
    assert one(conn, "select count(*) as n from conversations")["n"] == 0
    assert "chat:read" in problem(writer.get("/conversations"), 403, "scope_missing")["detail"]
    assert writer.post("/conversations", {"contactJid": "x"}).status_code == 201


def test_only_health_and_documents_are_open(app: Flask) -> None:
    """Every other route of the app wants a key, or a signature, also those that will be added."""
    client = app.test_client()
    for rule in app.url_map.iter_rules():
        path = re.sub("<uuid:[a-z_]+>", str(UUID(int=1)), re.sub("<row_id:[a-z_]+>", "1", rule.rule))
        path = re.sub("<(key_id:)?[a-z_]+>", "x", path)
        assert "<" not in path
        is_open = rule.endpoint.partition(".")[0] in ("health", "documents", "files")
        for method in rule.methods or ():
            answer = client.open(path, method=method)
            assert (answer.status_code == 401) is not is_open, (method, path)


def test_guessing_is_bounded_by_address(account: Account, conn: psycopg.Connection[DictRow]) -> None:
    """After 30 invalid keys a minute an address gets 429 for more of them; a valid key is never held up."""
    assert account.get("/conversations").status_code == 200
    for _ in range(30):
        answer = account.client.get(LIST, headers={"X-API-Key": key_text.mint("test").text})
        assert answer.status_code == 401
    cold = make_key(conn, account.id)
    for text in (key_text.mint("test").text, "nonsense"):
        refused = account.client.get(LIST, headers={"X-API-Key": text})
        problem(refused, 429, "too_many_failed_keys")
        assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert account.get("/conversations").status_code == 200
    assert account.client.get(LIST, headers={"X-API-Key": cold}).status_code == 200
    guess = {"X-API-Key": key_text.mint("test").text}
    elsewhere = account.client.get(LIST, headers=guess, environ_base={"REMOTE_ADDR": "192.0.2.7"})
    problem(elsewhere, 401, "api_key_invalid")


def test_a_warm_key_costs_no_query(account: Account, conn: psycopg.Connection[DictRow]) -> None:
    """With the key table locked against everybody, requests with a known key are still answered at once.

    When the lock outlasts what a worker may believe, requests wait for the table and then fail closed.
    """
    assert account.get("/conversations").status_code == 200
    with conn.transaction():
        conn.execute("lock table chat_api_keys in access exclusive mode")
        for _ in range(5):
            assert account.get("/conversations").status_code == 200
        refused = account.get("/conversations")
        deadline = datetime.now(UTC) + timedelta(seconds=10)
        while refused.status_code == 200 and datetime.now(UTC) < deadline:
            refused = account.get("/conversations")
        problem(refused, 503, "service_unavailable")
        assert refused.headers["Retry-After"] == "1"
    assert account.get("/conversations").status_code == 200
