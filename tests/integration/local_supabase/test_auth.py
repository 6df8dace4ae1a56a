"""/auth/v1 as the official clients see it: sessions, refresh tokens, errors."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import jwt
import psycopg
import pytest

from ops.local_supabase.auth import refresh_tokens
from ops.local_supabase.endpoint import Endpoint
from ops.local_supabase.settings import CLI_PUBLISHABLE_KEY
from tests.integration.local_supabase.serving import SECRET, join, serving, socket_to

_numbers = itertools.count(1)
Answer = tuple[int, Any]


class Visitor:
    """A client of the Auth API."""

    def __init__(self, endpoint: Endpoint, session: aiohttp.ClientSession) -> None:
        self.endpoint = endpoint
        self._session = session
        self.credentials = {"email": f"visitor-{next(_numbers)}@example.com", "password": "correct horse"}

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str = "",
        key: str = CLI_PUBLISHABLE_KEY,
        **headers: str,
    ) -> Answer:
        """Send a request; return status and decoded body."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if key:
            sent["apikey"] = key
        if token:
            sent["Authorization"] = f"Bearer {token}"
        url = f"{self.endpoint.url}/auth/v1/{path}"
        async with self._session.request(method, url, json=body, headers=sent) as response:
            return response.status, await response.json() if response.content_type == "application/json" else None

    async def sign_up(self) -> Any:
        status, session = await self.call("POST", "signup", self.credentials)
        assert status == 200, session
        return session

    async def refresh(self, token: str) -> Answer:
        return await self.call("POST", "token?grant_type=refresh_token", {"refresh_token": token})


def visit(url: str, play: Callable[[Visitor], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with serving(url) as endpoint, aiohttp.ClientSession() as session:
            await play(Visitor(endpoint, session))

    asyncio.run(asyncio.wait_for(bounded(), 60))


def test_a_session_carries_what_clients_and_policies_need(project_url: str) -> None:
    """The access token names user, role and session; a private topic of the user accepts it."""

    async def play(visitor: Visitor) -> None:
        session = await visitor.sign_up()
        claims = jwt.decode(session["access_token"], SECRET, ["HS256"], audience="authenticated")
        assert claims["sub"] == session["user"]["id"]
        assert claims["role"] == "authenticated"
        assert session["user"]["app_metadata"] == {"provider": "email", "providers": ["email"]}
        async with socket_to(visitor.endpoint, session["access_token"]) as connection:
            assert (await join(connection, f"allowed:{claims['sub']}", private=True))["status"] == "ok"

    visit(project_url, play)


def test_passwords_are_stored_as_bcrypt_hashes(project_url: str) -> None:
    """Never in the clear, and with Supabase's own cost."""

    async def play(visitor: Visitor) -> None:
        session = await visitor.sign_up()
        query = "select encrypted_password from auth.users where id = %s"
        with psycopg.connect(project_url) as connection:
            row = connection.execute(query, (session["user"]["id"],)).fetchone()
        assert row is not None
        assert row[0].startswith("$2b$10$")

    visit(project_url, play)


def test_a_refresh_token_is_good_for_one_successor(project_url: str) -> None:
    """Two tabs that race get the same successor; an old token that comes back later ends the session."""

    async def play(visitor: Visitor) -> None:
        first = (await visitor.sign_up())["refresh_token"]
        answers = await asyncio.gather(*(visitor.refresh(first) for _ in range(4)))
        assert [status for status, _ in answers] == [200] * 4
        (second,) = {body["refresh_token"] for _, body in answers}
        with psycopg.connect(project_url, autocommit=True) as connection:
            connection.execute(
                "update auth.refresh_tokens set updated_at = now() - make_interval(secs => %s) where token = %s",
                (refresh_tokens.REUSE_S + 1, first),
            )
        assert (await visitor.refresh(first))[1]["error_code"] == "refresh_token_already_used"
        assert (await visitor.refresh(second))[1]["error_code"] == "refresh_token_not_found"

    visit(project_url, play)


@pytest.mark.parametrize(("scope", "left"), [("local", 1), ("others", 1), ("global", 0)])
def test_signing_out_ends_the_sessions_of_its_scope(project_url: str, scope: str, left: int) -> None:
    """Local ends one, others all but one, global all."""

    async def play(visitor: Visitor) -> None:
        await visitor.sign_up()
        _, session = await visitor.call("POST", "token?grant_type=password", visitor.credentials)
        token = session["access_token"]
        assert (await visitor.call("POST", f"logout?scope={scope}", token=token))[0] == 204
        with psycopg.connect(project_url) as connection:
            row = connection.execute(
                "select count(*) from auth.sessions where user_id = %s", (session["user"]["id"],)
            ).fetchone()
        assert row == (left,)
        status, body = await visitor.call("GET", "user", token=token)
        assert (status, (body or {}).get("error_code")) == (
            (200, None) if scope == "others" else (403, "session_not_found")
        )

    visit(project_url, play)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "signup", {"email": "nonsense", "password": "123456"}, 400, "validation_failed"),
        ("POST", "signup", {"email": "a@b.c", "password": "12345"}, 422, "weak_password"),
        ("POST", "signup", {"email": "a@b.c", "password": "x" * 73}, 422, "weak_password"),
        ("POST", "signup", {"email": 5}, 400, "validation_failed"),
        ("POST", "signup", {"phone": "+1"}, 422, "phone_provider_disabled"),
        ("POST", "token?grant_type=password", {"email": "no@bo.dy", "password": "x"}, 400, "invalid_credentials"),
        ("POST", "token?grant_type=magic", {}, 400, "invalid_credentials"),
        ("POST", "token?grant_type=refresh_token", {"refresh_token": "x"}, 400, "refresh_token_not_found"),
        ("POST", "token?grant_type=refresh_token", {}, 400, "validation_failed"),
        ("POST", "token?grant_type=password", [1], 400, "validation_failed"),
        ("GET", "user", None, 401, "no_authorization"),
        ("POST", "logout?scope=all", None, 400, "validation_failed"),
    ],
)
def test_each_refusal_has_its_code(project_url: str, method: str, path: str, body: Any, status: int, code: str) -> None:
    """In the old form, and in the new one for clients that name the API version."""

    async def play(visitor: Visitor) -> None:
        old = await visitor.call(method, path, body)
        assert (old[0], old[1]["code"], old[1]["error_code"]) == (status, status, code)
        new = await visitor.call(method, path, body, X_Supabase_Api_Version="2024-01-01")
        assert (new[0], new[1]["code"]) == (status, code)

    visit(project_url, play)


def test_a_taken_e_mail_and_a_wrong_password_are_refused(project_url: str) -> None:
    """And the wrong password is not told apart from an unknown user."""

    async def play(visitor: Visitor) -> None:
        await visitor.sign_up()
        again = await visitor.call("POST", "signup", visitor.credentials)
        assert (again[0], again[1]["error_code"]) == (422, "user_already_exists")
        wrong = await visitor.call("POST", "token?grant_type=password", {**visitor.credentials, "password": "wrong"})
        assert wrong[1]["error_code"] == "invalid_credentials"

    visit(project_url, play)


def test_a_user_changes_their_own_data_and_password(project_url: str) -> None:
    """Metadata is merged; the new password counts from then on."""

    async def play(visitor: Visitor) -> None:
        token = (await visitor.sign_up())["access_token"]
        status, user = await visitor.call("PUT", "user", {"data": {"a": 1}, "password": "a new one"}, token=token)
        assert (status, user["user_metadata"]) == (200, {"a": 1})
        status, _ = await visitor.call("POST", "token?grant_type=password", visitor.credentials)
        assert status == 400
        changed = {**visitor.credentials, "password": "a new one"}
        assert (await visitor.call("POST", "token?grant_type=password", changed))[0] == 200

    visit(project_url, play)


def test_anonymous_users_and_the_public_answers(project_url: str) -> None:
    """Sign in without credentials; the key set, settings and health can be read."""

    async def play(visitor: Visitor) -> None:
        status, session = await visitor.call("POST", "signup", {"data": {}})
        assert (status, session["user"]["is_anonymous"]) == (200, True)
        assert await visitor.call("GET", ".well-known/jwks.json", key="") == (200, {"keys": []})
        assert (await visitor.call("GET", "settings"))[1]["mailer_autoconfirm"] is True
        assert (await visitor.call("GET", "health", key=""))[0] == 200

    visit(project_url, play)


def test_a_request_without_a_project_key_is_refused(project_url: str) -> None:
    """As the hosted gateway does it."""

    async def play(visitor: Visitor) -> None:
        assert await visitor.call("GET", "user", key="") == (401, {"message": "No API key found in request"})
        assert await visitor.call("GET", "user", key="nonsense") == (401, {"message": "Invalid API key"})

    visit(project_url, play)
