"""Which users an account may name: those of whom the project says that they belong to it."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from click.testing import CliRunner
from psycopg.rows import DictRow

from ops.cli.main import main
from tests.conftest import one
from tests.factories import make_user
from tests.integration.gateway.conftest import Account, data, problem

NAMING: dict[str, Callable[[int, str], tuple[str, dict[str, Any]]]] = {
    "a new conversation": lambda _, user: ("/conversations", {"contactJid": "x", "participants": [{"userId": user}]}),
    "its agent": lambda _, user: ("/conversations", {"contactJid": "x", "assignedAgentId": user}),
    "a participant": lambda id_, user: (f"/conversations/{id_}/participants", {"userId": user}),
    "an assignment": lambda id_, user: (f"/conversations/{id_}/assign", {"agentId": user}),
}


def crossfade(database_url: str, *arguments: object) -> tuple[int, str]:
    words = ["users", *(str(argument) for argument in arguments)]
    result = CliRunner().invoke(main, words, env={"DATABASE_URL": database_url})
    return result.exit_code, result.output


@pytest.mark.parametrize("naming", NAMING)
def test_somebody_elses_user_is_nobody(
    naming: str, account: Account, new_account: Callable[..., Account], conn: psycopg.Connection[DictRow]
) -> None:
    """An account's owner, another account's user, one who belongs to nobody, and an id that nobody has: one answer."""
    conversation = account.make_conversation()
    other = new_account()
    foreign = [other.id, make_user(conn, accounts=[other.id]), make_user(conn), uuid4()]
    answers = []
    for user in foreign:
        path, body = NAMING[naming](conversation, str(user))
        document = problem(account.post(path, body), 422, "validation_failed")
        assert document["errors"][0]["code"] == "unknown_user"
        answers.append({**document, "requestId": None})
    assert answers == [answers[0]] * len(foreign)
    assert one(conn, "select count(*) as n from conversation_participants")["n"] == 1
    path, body = NAMING[naming](conversation, str(make_user(conn, accounts=[other.id, account.id])))
    assert account.post(path, body).status_code in (200, 201)


def test_the_operator_decides_whom_an_account_may_name(
    account: Account, conn: psycopg.Connection[DictRow], database_url: str
) -> None:
    """By id or address; taken back at once; what else the project noted stays."""
    path = f"/conversations/{account.make_conversation()}/participants"
    ana, ben = make_user(conn, "Ana@example.com"), make_user(conn)
    conn.execute('update auth.users set raw_app_meta_data = \'{"provider": "email"}\' where id = %s', (ana,))

    def may_name(user: UUID) -> bool:
        answer = account.post(path, {"userId": str(user)})
        if answer.status_code == 200:
            data(account.delete(f"{path}/{user}"))
        return answer.status_code == 200

    assert not may_name(ana)
    for _ in range(2):
        assert crossfade(database_url, "allow", "ana@example.com", "--account", account.id)[0] == 0
    assert (may_name(ana), may_name(ben)) == (True, False)
    noted = one(conn, "select raw_app_meta_data as noted from auth.users where id = %(id)s", id=ana)["noted"]
    assert noted == {"provider": "email", "chat_accounts": [str(account.id)]}
    listed = json.loads(crossfade(database_url, "list", "--account", account.id, "--json")[1])
    assert [user["id"] for user in listed["users"]] == [str(ana)]
    assert crossfade(database_url, "forbid", ana, "--account", account.id)[0] == 0
    assert not may_name(ana)


def test_a_project_of_one_owner_needs_no_lists(
    account: Account, conn: psycopg.Connection[DictRow], database_url: str
) -> None:
    """After `users scope everybody` all users may be named, at once; ids that nobody has still may not."""
    conversation = account.make_conversation()
    assert crossfade(database_url, "scope", "everybody")[0] == 0
    for path, body in (naming(conversation, str(make_user(conn))) for naming in NAMING.values()):
        assert account.post(path, body).status_code in (200, 201)
    for path, body in (naming(conversation, str(uuid4())) for naming in NAMING.values()):
        problem(account.post(path, body), 422, "validation_failed")


def test_a_name_too_many_changes_nothing(
    account: Account, conn: psycopg.Connection[DictRow], database_url: str
) -> None:
    """An unknown user, an unknown account, and no users: one sentence each."""
    ana = make_user(conn)
    code, output = crossfade(database_url, "allow", ana, "nobody@example.com", "--account", account.id)
    assert (code, "There is no user nobody@example.com; nothing was changed." in output) == (1, True)
    assert json.loads(crossfade(database_url, "list", "--account", account.id, "--json")[1])["users"] == []
    code, output = crossfade(database_url, "allow", ana, "--account", uuid4())
    assert (code, "an account is a row of auth.users" in output) == (1, True)
    assert crossfade(database_url, "allow", "--account", account.id)[0] == 2
    assert crossfade(database_url, "forbid", ana, "--account", account.id)[0] == 1


def test_what_is_told_of_a_list_is_what_counts(
    account: Account, conn: psycopg.Connection[DictRow], database_url: str
) -> None:
    """Where everybody may be named, each command says that the list does not count; else none does."""
    ana = make_user(conn)
    for scope, told in (("everybody", True), ("listed", False)):
        assert crossfade(database_url, "scope", scope)[0] == 0
        for words in (("allow", ana), ("list",), ("forbid", ana)):
            line = (*words, "--account", account.id)
            code, output = crossfade(database_url, *line)
            assert (code, "Every account may name everybody" in output) == (0, told), output
            if words[0] == "list":
                document = json.loads(crossfade(database_url, *line, "--json")[1])
                assert document["accountUsers"] == scope


def test_until_somebody_says_otherwise_users_are_listed(
    account: Account, conn: psycopg.Connection[DictRow], database_url: str
) -> None:
    """Nobody has said anything, or something that nobody knows: policies, sockets and gateway ask the list."""
    other = make_user(conn)
    conversation = account.make_conversation()
    conn.execute("insert into conversation_participants values (%s, %s, 'client')", (conversation, other))
    path = f"/conversations/{account.make_conversation()}/participants"
    for said in (None, "nonsense", "listed", "everybody"):
        conn.execute("delete from chat_settings")
        if said:
            conn.execute("insert into chat_settings values ('account_users', %s)", (said,))
        part = one(conn, "select crossfade.takes_part(%(id)s, %(user)s, now()) as part", id=conversation, user=other)
        with conn.transaction(force_rollback=True):
            conn.execute("select set_config('request.jwt.claims', %s, true)", (json.dumps({"sub": str(other)}),))
            conn.execute("set local role authenticated")
            rows = conn.execute("select from conversations").fetchall()
        may = said == "everybody"
        assert (part["part"], len(rows)) == (may, int(may)), said
        assert (account.post(path, {"userId": str(other)}).status_code == 200) is may, said
    assert json.loads(crossfade(database_url, "scope", "--json")[1]) == {"accountUsers": "everybody"}
