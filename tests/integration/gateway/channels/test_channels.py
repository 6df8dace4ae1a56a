"""Channels over the API: made, shown, changed and removed, without ever showing a secret twice."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.rows import DictRow
from werkzeug.test import TestResponse

from gateway.services.channels import MAX_CHANNELS
from tests.conftest import one
from tests.integration.gateway.conftest import WUZAPI_URL, Account, data, problem

NEW = {"name": "whatsapp", "baseUrl": WUZAPI_URL, "token": "the-user-token"}


def create(account: Account, **fields: Any) -> dict[str, Any]:
    answer = account.post("/channels", NEW | fields)
    assert answer.status_code == 201, answer.text
    channel: dict[str, Any] = data(answer)
    return channel


def test_a_channel_is_shown_without_its_secrets(account: Account) -> None:
    """The HMAC key is in the first answer and in no other; the token is in none."""
    created = create(account)
    assert len(created.pop("hmacKey")) >= 32
    shown = data(account.get(f"/channels/{created['id']}"))
    assert shown == created
    assert shown["webhookPath"] == f"/hooks/wuzapi/{created['id']}"
    listed = account.get("/channels")
    assert data(listed) == [created]
    assert "the-user-token" not in listed.text


def test_secrets_are_sealed_in_the_database(account: Account, conn: psycopg.Connection[DictRow]) -> None:
    """Whoever reads the table learns neither the token nor the key."""
    key = create(account, hmacKey="k" * 40)["hmacKey"]
    row = one(conn, "select sealed_token, sealed_hmac_key from chat_channels")
    assert b"the-user-token" not in row["sealed_token"]
    assert key.encode() not in row["sealed_hmac_key"]


def test_a_channel_can_be_changed_and_removed(account: Account) -> None:
    """Fields that are not sent stay; null forgets the provider's account; a removed channel is unknown."""
    channel = create(account, providerUserId="7")
    path = f"/channels/{channel['id']}"
    assert data(account.patch(path, {"enabled": False}))["providerUserId"] == "7"
    changed = data(account.patch(path, {"providerUserId": None, "token": "another", "hmacKey": "x" * 32}))
    assert (changed["providerUserId"], changed["enabled"]) == (None, False)
    assert account.open("DELETE", path).status_code == 204
    problem(account.get(path), 404, "not_found")
    problem(account.open("DELETE", path), 404, "not_found")


def test_channels_of_an_account_are_capped(account: Account, new_account: Callable[..., Account]) -> None:
    """Also when several are made at the same moment: 409 says what to do, and another account has its own."""
    for number in range(MAX_CHANNELS - 1):
        made = create(account, name=f"number-{number}")
    barrier = Barrier(4)

    def make(number: int) -> TestResponse:
        client = replace(account, client=account.client.application.test_client())
        barrier.wait(10)
        return client.post("/channels", NEW | {"name": f"late-{number}"})

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(make, range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    refused = next(answer for answer in answers if answer.status_code == 409)
    assert "at most 50 channels: delete one first" in problem(refused, 409, "too_many_channels")["detail"]
    assert len(data(account.get("/channels"))) == MAX_CHANNELS == 50
    create(new_account())
    assert account.open("DELETE", f"/channels/{made['id']}").status_code == 204
    create(account, name="one-more")


def test_another_accounts_channel_does_not_exist(new_account: Callable[..., Account]) -> None:
    """Reading, changing and removing answer 404, and two accounts may use one name."""
    owner, stranger = new_account(), new_account()
    path = f"/channels/{create(owner)['id']}"
    problem(stranger.get(path), 404, "not_found")
    problem(stranger.patch(path, {"enabled": False}), 404, "not_found")
    problem(stranger.open("DELETE", path), 404, "not_found")
    assert data(stranger.get("/channels")) == []
    create(stranger)


def test_a_name_is_taken_once(account: Account) -> None:
    """The second channel of a name is refused; conversations could not tell them apart."""
    create(account)
    problem(account.post("/channels", NEW), 409, "channel_name_taken")


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"baseUrl": "http://169.254.169.254"}, "/baseUrl", "server_not_listed"),
        ({"baseUrl": "http://wuzapi.test:8080/other"}, "/baseUrl", "server_not_listed"),
        ({"baseUrl": "no url"}, "/baseUrl", "server_not_listed"),
        ({"name": "api"}, "/name", "not_allowed"),
        ({"name": "With Spaces"}, "/name", "wrong_form"),
        ({"token": "two\nlines"}, "/token", "wrong_form"),
        ({"hmacKey": "short"}, "/hmacKey", "too_short"),
        ({"kind": "telegram"}, "/kind", "not_allowed"),
        ({"unknown": 1}, "/unknown", "unknown_field"),
    ],
)
def test_what_a_channel_may_not_be(account: Account, fields: dict[str, Any], pointer: str, code: str) -> None:
    """Each mistake is named; no server that the operator did not list is ever accepted."""
    (fault,) = problem(account.post("/channels", NEW | fields), 422, "validation_failed")["errors"]
    assert (fault["pointer"], fault["code"]) == (pointer, code)


def test_a_change_that_changes_nothing_is_refused(account: Account) -> None:
    """An empty PATCH is a mistake, and one to a server that is not listed is refused as at creation."""
    path = f"/channels/{create(account)['id']}"
    problem(account.patch(path, {}), 422, "validation_failed")
    problem(account.patch(path, {"baseUrl": "http://localhost"}), 422, "validation_failed")
    problem(account.patch(f"/channels/{uuid4()}", {"enabled": True}), 404, "not_found")


def test_channels_want_a_scope_of_their_own(new_account: Callable[..., Account]) -> None:
    """A key that may chat may not say where messages go, nor see it."""
    chatter = new_account(scopes=("chat:read", "chat:write"))
    problem(chatter.get("/channels"), 403, "scope_missing")
    problem(chatter.post("/channels", NEW), 403, "scope_missing")
