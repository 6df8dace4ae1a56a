"""Keys over the API: made, listed, revoked, rotated; nobody hands on more than they have."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg.rows import DictRow

from tests.conftest import one
from tests.integration.gateway.conftest import Account, data, problem
from tests.integration.gateway.test_races import at_once
from tests.waiting import wait_for

BODY = {"name": "CRM", "scopes": ["chat:read"]}


def _as(account: Account, key: str) -> Account:
    return Account(id=account.id, key=key, client=account.client)


def test_a_made_key_works_and_is_shown_once(account: Account) -> None:
    """Its text is in that answer only, and opens what its scopes say."""
    made = account.post("/keys", BODY | {"rateLimit": 50})
    assert made.status_code == 201
    assert made.headers["Cache-Control"] == "no-store"
    key = data(made)
    other = _as(account, key["key"])
    assert other.get("/conversations").headers["X-RateLimit-Limit"] == "50"
    problem(other.post("/conversations", {"contactJid": "x"}), 403, "scope_missing")
    shown = account.get(made.headers["Location"])
    assert "key" not in data(shown)
    assert key["key"].startswith(data(shown)["prefix"] + "_")
    assert key["key"] not in account.get("/keys").text


def test_keys_are_listed_newest_first(account: Account) -> None:
    """Page by page, also those that no longer work, and only those of the account."""
    made = [data(account.post("/keys", BODY | {"name": f"k{index}"}))["id"] for index in range(4)]
    account.open("DELETE", f"/keys/{made[1]}")
    found, url = [], "/keys?limit=2"
    while url:
        answer = account.get(url)
        found += data(answer)
        url = answer.headers.get("Link", "").partition(">")[0].removeprefix("<")
    assert [key["id"] for key in found][:4] == made[::-1]
    assert len(found) == 5
    assert {key["id"]: key["state"] for key in found}[made[1]] == "revoked"


def test_a_revoked_key_stops_within_a_second(account: Account) -> None:
    """In this worker and every other; revoking again changes nothing."""
    key = data(account.post("/keys", BODY))
    other = _as(account, key["key"])
    assert other.get("/conversations").status_code == 200
    revoked = data(account.open("DELETE", f"/keys/{key['id']}"))
    wait_for(lambda: other.get("/conversations").status_code == 401, "the key to stop", timeout_s=1.0)
    assert data(account.open("DELETE", f"/keys/{key['id']}")) == revoked
    assert revoked["revokedAt"]


def test_rotation_lets_both_work_for_a_while(account: Account) -> None:
    """The new key takes everything over; the old one ends when the overlap does, and names its successor."""
    key = data(account.post("/keys", BODY | {"rateLimit": 50}))
    before = datetime.now(UTC)
    rotated = data(account.post(f"/keys/{key['id']}/rotate", {"overlapSeconds": 3600}))
    assert rotated["key"] != key["key"]
    same = ("name", "scopes", "rateLimit", "sendRateLimit", "expiresAt")
    assert {name: rotated[name] for name in same} == {name: key[name] for name in same}
    old = rotated["replaces"]
    assert (old["id"], old["replacedBy"]) == (key["id"], rotated["id"])
    ends = datetime.fromisoformat(old["expiresAt"])
    assert timedelta(hours=1) <= ends - before < timedelta(hours=1, minutes=1)
    for text in (key["key"], rotated["key"]):
        assert _as(account, text).get("/conversations").status_code == 200


def test_rotation_without_overlap_ends_the_old_key(account: Account) -> None:
    """Within a second, like revoking."""
    key = data(account.post("/keys", BODY))
    old = _as(account, key["key"])
    assert old.get("/conversations").status_code == 200
    new = _as(account, data(account.post(f"/keys/{key['id']}/rotate", {"overlapSeconds": 0}))["key"])
    wait_for(lambda: old.get("/conversations").status_code == 401, "the old key to stop", timeout_s=1.0)
    assert new.get("/conversations").status_code == 200


def test_a_key_is_rotated_once(account: Account, conn: psycopg.Connection[DictRow]) -> None:
    """Of many at once one succeeds; revoked keys are not rotated at all."""
    key = data(account.post("/keys", BODY))
    answers = at_once(8, lambda _: account.post(f"/keys/{key['id']}/rotate", {}))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    problem(next(answer for answer in answers if answer.status_code == 409), 409, "key_not_active")
    assert one(conn, "select count(*) as n from chat_api_keys")["n"] == 3


def test_nobody_hands_on_a_scope_they_lack(new_account: Callable[..., Account], account: Account) -> None:
    """Neither by making a key nor by rotating a stronger one."""
    manager = new_account(scopes=["keys:manage", "chat:read"])
    problem(manager.post("/keys", {"name": "x", "scopes": ["chat:write"]}), 403, "scope_not_held")
    strong = data(account.post("/keys", {"name": "x", "scopes": ["chat:write"]}))
    weak = data(account.post("/keys", {"name": "x", "scopes": ["keys:manage"]}))
    problem(_as(account, weak["key"]).post(f"/keys/{strong['id']}/rotate", {}), 403, "scope_not_held")
    assert manager.post("/keys", {"name": "x", "scopes": ["chat:read"]}).status_code == 201


def test_nobody_raises_their_own_limits(new_account: Callable[..., Account]) -> None:
    """A key with a small limit makes keys with no more; without a wish they get as much as it has."""
    small = new_account(rate_limit=20, send_rate_limit=5)
    problem(small.post("/keys", BODY | {"rateLimit": 21}), 422, "validation_failed")
    problem(small.post("/keys", BODY | {"sendRateLimit": 6}), 422, "validation_failed")
    made = data(small.post("/keys", BODY))
    assert (made["rateLimit"], made["sendRateLimit"]) == (20, 5)


def test_an_account_has_so_many_keys(account: Account, conn: psycopg.Connection[DictRow]) -> None:
    """One too many is 409; those that no longer work do not count."""
    conn.execute(
        "insert into chat_api_keys (id, user_id, name, env, prefix, secret_hash, scopes)"
        " select 'k' || n, %s, 'x', 'test', 'x', sha256(n::text::bytea), '{chat:read}' from generate_series(1, 99) n",
        (account.id,),
    )
    problem(account.post("/keys", BODY), 409, "too_many_keys")
    account.open("DELETE", "/keys/k1")
    assert account.post("/keys", BODY).status_code == 201


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("scopes", [], "too_short"),
        ("scopes", ["chat:everything"], "not_allowed"),
        ("scopes", ["chat:read", "chat:read"], "duplicate"),
        ("name", " ", "blank"),
        ("name", "", "too_short"),
        ("expiresAt", "2020-01-01T00:00:00Z", "in_the_past"),
        ("expiresAt", "2040-01-01T00:00:00", "not_a_time"),
        ("expiresAt", 4_000_000_000, "wrong_type"),
        ("rateLimit", 0, "out_of_range"),
    ],
)
def test_bad_fields_are_named(account: Account, field: str, value: object, code: str) -> None:
    """422 with a pointer and a code."""
    document = problem(account.post("/keys", BODY | {field: value}), 422, "validation_failed")
    assert document["errors"][0]["pointer"].startswith(f"/{field}")
    assert document["errors"][0]["code"] == code


def test_a_key_that_expires_is_rotated_with_its_lifetime(account: Account) -> None:
    """A key for thirty days is followed by one for thirty days from now."""
    expires = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    key = data(account.post("/keys", BODY | {"expiresAt": expires}))
    new = data(account.post(f"/keys/{key['id']}/rotate", {}))
    assert datetime.fromisoformat(new["expiresAt"]) >= datetime.fromisoformat(key["expiresAt"])
    assert datetime.fromisoformat(new["replaces"]["expiresAt"]) < datetime.fromisoformat(key["expiresAt"])


def test_using_keys_writes_nothing(account: Account, conn: psycopg.Connection[DictRow]) -> None:
    """When a key was last used is written now and then, never with a request."""
    for _ in range(5):
        account.get("/conversations")
    assert one(conn, "select last_used_at from chat_api_keys") == {"last_used_at": None}
