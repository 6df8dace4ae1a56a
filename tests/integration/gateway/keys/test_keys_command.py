"""`crossfade keys`, as an operator uses it."""

import hashlib
import json
from uuid import uuid4

import psycopg
import pytest
from click.testing import CliRunner, Result
from flask import Flask
from psycopg.rows import DictRow

from ops.cli.main import main
from tests.conftest import one
from tests.factories import make_user
from tests.integration.gateway.conftest import Account


class Keys:
    def __init__(self, database_url: str) -> None:
        self._env = {"DATABASE_URL": database_url, "COLUMNS": "240"}

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["keys", *arguments], env=self._env)

    def create(self, *arguments: str) -> dict[str, object]:
        result = self.run("create", "--name", "n", "--json", *arguments)
        assert result.exit_code == 0, result.output
        document: dict[str, object] = json.loads(result.stdout)
        return document


@pytest.fixture
def keys(database_url: str) -> Keys:
    return Keys(database_url)


def test_a_created_key_works_and_only_its_hash_is_kept(
    keys: Keys, conn: psycopg.Connection[DictRow], app: Flask
) -> None:
    """Its text is shown once; the table holds the SHA-256 of it and a prefix to tell keys apart."""
    account_id = make_user(conn)
    created = keys.create("--account", str(account_id), "--expires-in", "30d", "--rate-limit", "7", "--env", "test")
    text = str(created["key"])
    row = one(conn, "select * from chat_api_keys")
    assert bytes(row["secret_hash"]) == hashlib.sha256(text.encode()).digest()
    assert text not in str(row)
    assert text.startswith(f"{row['prefix']}_")
    assert (row["rate_limit"], row["send_rate_limit"], row["scopes"]) == (7, None, ["chat:read", "chat:write"])
    assert (row["expires_at"] - row["created_at"]).days in (29, 30)
    account = Account(id=account_id, key=text, client=app.test_client())
    assert account.get("/conversations").headers["X-RateLimit-Limit"] == "7"


def test_the_text_is_shown_with_a_warning(keys: Keys, conn: psycopg.Connection[DictRow]) -> None:
    """People are told that they will not see it again, and `list` does not show it."""
    shown = keys.run("create", "--account", str(make_user(conn)), "--name", "for Ann").stdout
    text = shown.split()[0]
    assert text.startswith("cf_")
    assert "only time" in shown
    listed = keys.run("list").stdout
    assert "for Ann" in listed
    assert text not in listed


def test_list_tells_the_state(keys: Keys, conn: psycopg.Connection[DictRow]) -> None:
    """Active, expired or revoked; of one account when asked."""
    account_id = make_user(conn)
    ids = [str(keys.create("--account", str(account_id))["id"]) for _ in range(3)]
    keys.create("--account", str(make_user(conn)))
    conn.execute("update chat_api_keys set expires_at = now() where id = %s", (ids[1],))
    assert json.loads(keys.run("revoke", ids[2], "--json").stdout)["state"] == "revoked"
    listed = json.loads(keys.run("list", "--account", str(account_id), "--json").stdout)
    assert {key["id"]: key["state"] for key in listed} == {ids[0]: "active", ids[1]: "expired", ids[2]: "revoked"}
    assert len(json.loads(keys.run("list", "--json").stdout)) == 4


def test_revoking_twice_keeps_the_first_moment(keys: Keys, conn: psycopg.Connection[DictRow]) -> None:
    """The audit trail says when it really stopped."""
    key_id = str(keys.create("--account", str(make_user(conn)))["id"])
    moments = {json.loads(keys.run("revoke", key_id, "--json").stdout)["revokedAt"] for _ in range(2)}
    assert len(moments) == 1


@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        (["create", "--account", str(uuid4()), "--name", "x"], 1, "no user"),
        (["revoke", "nothing"], 1, "no key"),
        (["create", "--account", str(uuid4()), "--name", ""], 2, "'' is not a name"),
        (["create", "--account", str(uuid4()), "--name", " "], 2, "write 1 to 255 characters"),
        (["create", "--account", str(uuid4()), "--name", "x" * 256], 2, "write 1 to 255 characters"),
        (["create", "--account", str(uuid4()), "--name", "a\0b"], 2, "write 1 to 255 characters"),
        (["create", "--account", "x", "--name", "x"], 2, "--account"),
        (["create", "--name", "x"], 2, "--account"),
        (["create", "--account", str(uuid4()), "--name", "x", "--scopes", "chat:all"], 2, "chat:read"),
        (["create", "--account", str(uuid4()), "--name", "x", "--scopes", ","], 2, "scopes"),
        (["create", "--account", str(uuid4()), "--name", "x", "--expires-in", "soon"], 2, "30d"),
        (["create", "--account", str(uuid4()), "--name", "x", "--expires-in", "9999999d"], 2, "ten years"),
        (["create", "--account", str(uuid4()), "--name", "x", "--rate-limit", "0"], 2, "--rate-limit"),
        (["create", "--account", str(uuid4()), "--name", "x", "--env", "Prod"], 2, "lower-case"),
    ],
)
def test_mistakes_get_one_sentence(keys: Keys, arguments: list[str], exit_code: int, words: str) -> None:
    """1 for what failed, 2 for what makes no sense; never a traceback."""
    result = keys.run(*arguments)
    assert result.exit_code == exit_code, result.output
    assert words in " ".join(result.stderr.split())
    assert "Traceback" not in result.output
    assert result.stdout == ""
