"""`POST /realtime/sessions`: where a client's events come from, and why."""

import dataclasses
import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.rows import DictRow

from gateway.app import create_app
from gateway.process.runtime import Runtime, running
from gateway.settings import Settings
from gateway.v1.schemas.realtime_sessions import RealtimeSession
from realtime_bridge.rollout.dial.bucket import bucket_of
from realtime_bridge.rollout.dial.stages import FLAG
from realtime_bridge.shared.signing_key import SigningKey
from realtime_bridge.shared.tokens import TokenVerifier
from realtime_bridge.shared.variables import Provider
from tests.factories import append_message, make_conversation, make_key, make_user
from tests.integration.gateway.conftest import Account, data, problem
from tests.waiting import wait_for

SECRET = "a-secret-of-at-least-thirty-two-characters"
SIDES: dict[str, Any] = {
    "supabase_url": "https://ref.supabase.co",
    "supabase_public_key": "sb_publishable_x",
    "legacy_url": "https://chat.example.com",
    "signing_key": SigningKey.of_secret(SECRET),
    "session_ttl_s": 900,
}
SCOPES = ("chat:read", "chat:write", "realtime:session")


@pytest.fixture
def sessions(
    settings: Settings, database_url: str, conn: psycopg.Connection[DictRow]
) -> Iterator[Callable[..., Account]]:
    """Make an account on an app of its own, with other settings."""
    conn.execute("delete from rollout_overrides")
    conn.execute("delete from rollout_sessions")
    turn(conn, "off")
    started = []

    def create(scopes: tuple[str, ...] = SCOPES, **changes: Any) -> Account:
        values = {"provider": Provider.ROLLOUT, **SIDES, **changes}
        context = running(create_app(dataclasses.replace(settings, **values)))
        app = context.__enter__()
        started.append(context)
        thread = Runtime.of(app).choices._thread
        assert thread is None or thread.wait_until_known(5)
        account_id = make_user(conn)
        return Account(id=account_id, key=make_key(conn, account_id, scopes=scopes), client=app.test_client())

    yield create
    for context in started:
        context.__exit__(None, None, None)


def turn(conn: psycopg.Connection[DictRow], stage: str, buckets: int = 0) -> None:
    conn.execute(
        "update rollout_stages set stage = %s, buckets = %s, version = version + 1, revision = revision + 1"
        " where (stage, buckets) <> (%s, %s)",
        (stage, buckets, stage, buckets),
    )


def ask(account: Account, user_id: UUID, **body: Any) -> dict[str, Any]:
    answer = account.post("/realtime/sessions", {"userId": str(user_id), **body})
    assert answer.status_code == 201, answer.text
    session: dict[str, Any] = data(answer)
    return session


def told(account: Account, user_id: UUID, provider: str) -> dict[str, Any]:
    """Return the answer once it names `provider`."""

    def answer() -> dict[str, Any] | None:
        session = ask(account, user_id)
        return session if session["provider"] == provider else None

    return wait_for(answer, f"{user_id} to be told {provider}", 5.0) or {}


def test_the_answer_says_where_why_and_from_which_seq(
    sessions: Callable[..., Account], conn: psycopg.Connection[DictRow]
) -> None:
    """Supabase's URL, key, a token of this user, its topics, and each conversation's newest seq."""
    account, member = sessions(), make_user(conn)
    conversation = make_conversation(conn, account.id, member)
    append_message(conn, conversation)
    append_message(conn, conversation)
    turn(conn, "complete", 10_000)
    session = told(account, member, "supabase")
    assert session["reason"] == {
        "source": "stage",
        "stage": "complete",
        "percentage": 100.0,
        "bucket": bucket_of(FLAG, member),
    }
    assert (session["url"], session["publicKey"], session["path"]) == (
        "https://ref.supabase.co",
        "sb_publishable_x",
        None,
    )
    assert session["topics"] == [f"user:{member}:inbox", f"conversation:{conversation}", f"presence:{conversation}"]
    assert session["catchUp"] == [{"conversationId": conversation, "seq": 2}]
    claims = TokenVerifier(SECRET).verify(session["token"])
    assert claims.user_id == member
    told_row = conn.execute("select provider, expires_at from rollout_sessions").fetchone()
    assert told_row is not None
    assert told_row["provider"] == "supabase"
    assert abs(told_row["expires_at"].timestamp() - claims.expires_at) <= 2


def test_the_token_must_not_be_cached(sessions: Callable[..., Account]) -> None:
    """No proxy may hand one user's token to another; and in `off` everybody is told legacy."""
    account = sessions()
    answer = account.post("/realtime/sessions", {"userId": str(account.id)})
    assert answer.headers["Cache-Control"] == "no-store"
    session = data(answer)
    assert (session["provider"], session["path"], session["url"]) == ("socketio", "/api/ws", "https://chat.example.com")
    assert session["reason"]["source"] == "stage"
    assert session["topics"] == []


def test_a_change_of_stage_changes_the_answer(
    sessions: Callable[..., Account], conn: psycopg.Connection[DictRow]
) -> None:
    """Up and down, with nothing but the dial's own listening; in a ramp the bucket decides; both sides are named."""
    account = sessions()
    early = next(user for user in iter(lambda: make_user(conn), None) if bucket_of(FLAG, user) < 5_000)
    late = next(user for user in iter(lambda: make_user(conn), None) if bucket_of(FLAG, user) >= 5_000)
    conversation = make_conversation(conn, account.id, early, late)
    assert ask(account, early)["standby"] is None, "Supabase is not fed yet"
    turn(conn, "shadow")
    wait_for(lambda: ask(account, early)["standby"], "Supabase to be named")
    assert ask(account, early)["provider"] == "socketio"
    turn(conn, "ramp", 5_000)
    session = told(account, early, "supabase")
    assert (session["reason"]["source"], session["reason"]["percentage"]) == ("bucket", 50.0)
    RealtimeSession.model_validate_json(json.dumps(session))  # as it is described
    legacy: dict[str, Any] = {"provider": "socketio", "url": "https://chat.example.com", "path": "/api/ws"}
    legacy |= {"publicKey": None, "topics": []}
    supabase: dict[str, Any] = {"provider": "supabase", "url": "https://ref.supabase.co", "path": None}
    supabase["publicKey"] = "sb_publishable_x"
    for user, told_side, standby in ((early, supabase, legacy), (late, legacy, supabase)):
        supabase["topics"] = [f"user:{user}:inbox", f"conversation:{conversation}", f"presence:{conversation}"]
        session = ask(account, user)
        assert (session | told_side, session["standby"]) == (session, standby)
    turn(conn, "complete", 10_000)
    assert told(account, late, "supabase")["standby"] is None, "legacy is fed no longer"
    turn(conn, "off")
    told(account, early, "socketio")


def test_an_override_of_the_user_beats_the_account_beats_the_bucket(
    sessions: Callable[..., Account], conn: psycopg.Connection[DictRow]
) -> None:
    """And in `off` nobody is sent to a side that is not fed."""
    account, member = sessions(), make_user(conn)
    make_conversation(conn, account.id, member)
    turn(conn, "shadow")
    put = "insert into rollout_overrides values ('chat_realtime_provider', %s, %s, %s, 'why', 'me')"
    conn.execute(put, ("account", account.id, "supabase"))
    assert told(account, member, "supabase")["reason"]["source"] == "override"
    conn.execute(put, ("user", member, "socketio"))
    assert told(account, member, "socketio")["reason"]["source"] == "override"
    assert ask(account, account.id)["provider"] == "supabase"
    turn(conn, "off")
    assert told(account, account.id, "socketio")["reason"]["source"] == "stage"


@pytest.mark.parametrize(
    ("provider", "expected", "standby"),
    [
        (Provider.SOCKETIO, "socketio", None),
        (Provider.SUPABASE, "supabase", None),
        (Provider.DUAL, "socketio", "https://ref.supabase.co"),
    ],
)
def test_a_pinned_deployment_says_so(
    sessions: Callable[..., Account], provider: Provider, expected: str, standby: str | None
) -> None:
    """CHAT_REALTIME_PROVIDER other than `rollout` decides alone, legacy first; there is no version to wait for."""
    account = sessions(provider=provider)
    session = ask(account, account.id)
    assert (session["provider"], session["reason"]["source"], session["version"]) == (expected, "pin", None)
    assert (session["standby"] or {}).get("url") == standby


def test_a_supabase_that_is_not_configured_is_no_standby(sessions: Callable[..., Account]) -> None:
    """A gateway that does not know where Supabase is names nothing, and answers all the same."""
    account = sessions(provider=Provider.DUAL, supabase_url=None)
    session = ask(account, account.id)
    assert (session["provider"], session["standby"]) == ("socketio", None)


def test_only_members_of_the_account_get_a_session(
    sessions: Callable[..., Account], conn: psycopg.Connection[DictRow]
) -> None:
    """A stranger, somebody else's user, and a conversation the user is not in are all 404, and no token is made."""
    account, stranger, other = sessions(), make_user(conn), make_user(conn)
    foreign = make_conversation(conn, other, stranger)
    own = make_conversation(conn, account.id)
    for user in (uuid4(), stranger, other):
        problem(account.post("/realtime/sessions", {"userId": str(user)}), 404, "not_found")
    for ids in ([foreign], [own, foreign], [999_999]):
        body = {"userId": str(account.id), "conversationIds": ids}
        problem(account.post("/realtime/sessions", body), 404, "not_found")
    assert ask(account, account.id, conversationIds=[own])["catchUp"] == [{"conversationId": own, "seq": 0}]
    assert conn.execute("select count(*) as n from rollout_sessions").fetchone() == {"n": 1}


def test_the_scope_is_one_of_its_own(sessions: Callable[..., Account]) -> None:
    """A key that writes messages makes no tokens, and a key that makes tokens writes no messages."""
    writer = sessions(scopes=("chat:read", "chat:write"))
    answer = writer.post("/realtime/sessions", {"userId": str(writer.id)})
    assert "realtime:session" in problem(answer, 403, "scope_missing")["detail"]
    minter = sessions(scopes=("realtime:session",))
    assert ask(minter, minter.id)["provider"] == "socketio"
    problem(minter.post("/conversations", {"contactJid": "x"}), 403, "scope_missing")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"userId": "me"},
        {"userId": None},
        {"userId": str(uuid4()), "conversationIds": [0]},
        {"userId": str(uuid4()), "conversationIds": ["1"]},
        {"userId": str(uuid4()), "conversationIds": list(range(1, 102))},
        {"userId": str(uuid4()), "provider": "supabase"},
    ],
)
def test_bad_bodies_are_refused(sessions: Callable[..., Account], body: dict[str, Any]) -> None:
    """Each fault is named; nobody chooses the provider themselves."""
    assert problem(sessions().post("/realtime/sessions", body), 422, "validation_failed")["errors"]


def test_a_gateway_without_secret_says_what_is_missing(sessions: Callable[..., Account]) -> None:
    """503 with the variable's name, and nothing else works differently."""
    account = sessions(signing_key=None, supabase_url=None)
    refused = problem(account.post("/realtime/sessions", {"userId": str(account.id)}), 503, "realtime_not_configured")
    assert "SUPABASE_JWT_SECRET" in refused["detail"]
    assert account.get("/conversations").status_code == 200


def test_another_flag_provider_decides_within_a_ramp(
    sessions: Callable[..., Account], conn: psycopg.Connection[DictRow]
) -> None:
    """CROSSFADE_FLAG_PROVIDER takes the place of the buckets, and of nothing above them."""
    account = sessions(flag_provider="tests.integration.rollout.dial.flag_providers:everybody")
    turn(conn, "shadow")
    assert ask(account, account.id)["provider"] == "socketio"
    turn(conn, "ramp", 1)
    assert told(account, account.id, "supabase")["reason"]["source"] == "flag_provider"
    turn(conn, "off")
    told(account, account.id, "socketio")
