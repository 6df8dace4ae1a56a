"""Tokens that the project signs with keys of its own: fetched, kept, refreshed, and never asked for without bound."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web
from websockets.exceptions import InvalidStatus

from ops.machine.postgres import EmbeddedPostgres
from realtime_bridge.shared.jwks import COOLDOWN_S, FRESH_S, MAX_BYTES, PATH, STALE_S, ProjectKeys
from realtime_bridge.shared.tokens import Claims, TokenError, TokenVerifier, mint_role_key, mint_user_token
from tests.integration.legacy.clients import Clients
from tests.integration.legacy.harness import Bridge
from tests.integration.local_supabase.serving import heartbeat, project_database, serving, socket_to
from tests.signing_keys import JWKS, public_set, signing_key

USER = uuid4()


@pytest.fixture(scope="module")
def project_url(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    with project_database(postgres_server) as url:
        yield url


@pytest.fixture
def clients() -> Iterator[Clients]:
    with Clients() as clients:
        yield clients


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Project:
    """Serves a key set that the test changes, counts how often it is asked, and answers while `answers` is set."""

    def __init__(self) -> None:
        self.body: Any = public_set("ES256")
        self.status = 200
        self.asked = 0
        self.is_asked = asyncio.Event()
        self.answers = asyncio.Event()
        self.answers.set()

    async def answer(self, _: web.Request) -> web.Response:
        self.asked += 1
        self.is_asked.set()
        await self.answers.wait()
        return web.Response(text=self.body, status=self.status)


@asynccontextmanager
async def project_at() -> AsyncIterator[tuple[Project, str]]:
    project, app = Project(), web.Application()
    app.router.add_get(PATH, project.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield project, f"http://127.0.0.1:{runner.addresses[0][1]}{PATH}"
    finally:
        await runner.cleanup()


async def check(keys: ProjectKeys, algorithm: str) -> Claims | str:
    """Return the claims, or the code of the refusal."""
    try:
        return await TokenVerifier(None, keys).check(mint_user_token(signing_key(algorithm), USER, 60))
    except TokenError as error:
        return error.code


def test_users_of_a_local_project_connect(project_url: str, database_url: str, clients: Clients) -> None:
    """The official client, with tokens signed by each kind of key that the project publishes; and with no other."""

    def connect(endpoint_url: str) -> None:
        verifier = TokenVerifier(None, ProjectKeys(endpoint_url + PATH))
        bridge = Bridge(database_url, verifier=verifier).start()
        try:
            for algorithm in ("ES256", "RS256"):
                client = clients.open(bridge.url, {"token": mint_user_token(signing_key(algorithm), USER, 60)})
                client.wait("connect")
            stranger = clients.open(bridge.url, {"token": mint_user_token(signing_key("EdDSA"), USER, 60)})
            assert stranger.wait("connect_error")["data"] == {"code": "token_invalid"}
        finally:
            bridge.stop()

    async def scenario() -> None:
        async with serving(project_url, jwks=public_set("ES256", "RS256")) as endpoint:
            await asyncio.to_thread(connect, endpoint.url)

    asyncio.run(scenario())


@pytest.mark.parametrize("algorithm", JWKS)
def test_the_project_accepts_what_we_sign(project_url: str, algorithm: str) -> None:
    """Realtime lets in a user's token and a role's; not when the key was never imported."""

    async def scenario() -> None:
        key = signing_key(algorithm)
        tokens = (mint_user_token(key, USER, 60), mint_role_key(key, "service_role", 60))
        async with serving(project_url, jwks=public_set(algorithm)) as endpoint:
            for token in tokens:
                async with socket_to(endpoint, key=token) as connection:
                    await heartbeat(connection, "1")
        async with serving(project_url) as endpoint:
            for token in tokens:
                with pytest.raises(InvalidStatus):
                    async with socket_to(endpoint, key=token):
                        pass

    asyncio.run(scenario())


def test_a_rotated_key_is_fetched_and_a_revoked_one_ends() -> None:
    """An unknown name is asked for, not more often than COOLDOWN_S; what is known is looked at again after FRESH_S."""

    async def scenario() -> None:
        clock = Clock()
        async with project_at() as (project, url):
            keys = ProjectKeys(url, clock=clock)
            assert isinstance(await check(keys, "ES256"), Claims)
            assert isinstance(await check(keys, "ES256"), Claims)
            assert project.asked == 1
            project.body = public_set("RS256")
            assert await check(keys, "RS256") == "token_invalid"
            assert project.asked == 1
            clock.now += COOLDOWN_S
            answers = await asyncio.gather(*(check(keys, "RS256") for _ in range(20)))
            assert all(isinstance(answer, Claims) for answer in answers)
            assert project.asked == 2
            assert await check(keys, "ES256") == "token_invalid"
            project.body = public_set("EdDSA")
            clock.now += FRESH_S
            while await check(keys, "RS256") != "token_invalid":  # noqa: ASYNC110 - asked anew beside the check
                await asyncio.sleep(0.01)
            assert project.asked == 3

    asyncio.run(scenario())


def test_an_outage_of_the_project_sends_nobody_away_at_once() -> None:
    """Known keys go on for STALE_S and then end; when the project is back, so are they."""

    async def scenario() -> None:
        clock = Clock()
        async with project_at() as (project, url):
            keys = ProjectKeys(url, clock=clock)
            assert isinstance(await check(keys, "ES256"), Claims)
            project.status = 503
            clock.now += FRESH_S
            assert isinstance(await check(keys, "ES256"), Claims)
            while project.asked < 2 or keys._asking:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
            clock.now += STALE_S - FRESH_S
            assert await check(keys, "ES256") == "token_invalid"
            project.status = 200
            clock.now += COOLDOWN_S
            assert isinstance(await check(keys, "ES256"), Claims)
            assert project.asked == 4

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "body",
    [
        "no json",
        "[]",
        '{"keys": 1}',
        "[" * 100_000,
        " " * (MAX_BYTES + 1),
        json.dumps({"keys": [{}] * 33}),
        json.dumps({"keys": [7, {}, {"kty": "EC", "kid": "ES256"}, {"kty": "oct", "kid": "ES256", "k": "c2VjcmV0"}]}),
    ],
    ids=["text", "list", "number", "deep", "long", "many", "useless keys"],
)
def test_a_document_that_is_none_opens_nothing(body: str) -> None:
    """It is one log line, and the token is refused."""

    async def scenario() -> None:
        async with project_at() as (project, url):
            project.body = body
            assert await check(ProjectKeys(url), "ES256") == "token_invalid"
            assert project.asked == 1

    asyncio.run(scenario())
