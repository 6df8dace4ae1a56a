"""Tokens that nobody signed, keys that nobody knows, and a project whose key set does not answer."""

import asyncio
import json
import logging
import time

import jwt
import pytest

from realtime_bridge.shared.jwks import COOLDOWN_S, FRESH_S, TIMEOUT_S, ProjectKeys
from realtime_bridge.shared.tokens import Claims, TokenError, TokenRules, TokenVerifier, mint_user_token
from tests.integration.bridge.test_jwks import USER, Clock, check, project_at
from tests.integration.legacy.clients import Clients
from tests.integration.legacy.conftest import (  # noqa: F401 - fixtures
    bridge,
    clients,
    database_url,
    legacy_url,
)
from tests.integration.legacy.harness import SECRET, Bridge, token
from tests.signing_keys import public_set, signing_key

# ruff: noqa: F811 - what is imported above is named as an argument below
UNREADABLE = ["\ud800", "a.\udfff.b", "é.é.é", "a" * 20_000, "." * 10_000, "e30" * 3_000, "W1tb" * 2_000 + ".e30.x"]


def test_an_unknown_key_keeps_nobody_waiting() -> None:
    """While the project does not answer a question about a stranger's key, known keys are answered at once."""

    async def scenario() -> None:
        clock = Clock()
        async with project_at() as (project, url):
            keys = ProjectKeys(url, clock=clock)
            assert isinstance(await check(keys, "ES256"), Claims)
            project.answers.clear()
            project.is_asked.clear()
            for passed_s in (COOLDOWN_S, FRESH_S):
                clock.now += passed_s
                stranger = asyncio.create_task(check(keys, "RS256"))
                async with asyncio.timeout(5):
                    await project.is_asked.wait()
                async with asyncio.timeout(TIMEOUT_S / 2):
                    assert isinstance(await check(keys, "ES256"), Claims)
                assert not stranger.done()
            project.answers.set()
            assert await stranger == "token_invalid"

    asyncio.run(scenario())


def test_a_key_without_an_algorithm_harms_only_itself() -> None:
    """`alg: none`, an algorithm of another kind and one of nobody's are passed over; the others verify."""

    async def scenario() -> None:
        async with project_at() as (project, url):
            keys = json.loads(public_set("ES256"))["keys"]
            algorithms: list[object] = ["none", "HS256", "XX", 7, None, []]
            odd = [{**keys[0], "kid": f"odd-{alg}", "alg": alg} for alg in algorithms]
            project.body = json.dumps({"keys": [*odd, *keys]})
            assert isinstance(await check(ProjectKeys(url), "ES256"), Claims)

    asyncio.run(scenario())


@pytest.mark.parametrize("text", UNREADABLE, ids=range(len(UNREADABLE)))
def test_a_token_that_is_none_is_refused(text: str) -> None:
    """Half a surrogate pair, other scripts, no end, or nested without end: one answer, and no other error."""
    for verifier in (TokenVerifier(SECRET), TokenVerifier(None, ProjectKeys())):
        with pytest.raises(TokenError) as caught:
            asyncio.run(verifier.check(text))
        assert caught.value.code == "token_invalid"


def test_nobody_is_alarmed_by_half_a_surrogate(
    bridge: Bridge, clients: Clients, caplog: pytest.LogCaptureFixture
) -> None:
    """The official client is refused with a code, and the log says nothing at error level."""
    caplog.set_level(logging.INFO)
    client = clients.open(bridge.url, {"token": "\ud800"})
    assert client.wait("connect_error")["data"] == {"code": "token_invalid"}
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
    assert clients.open(bridge.url, {"token": token(USER)}).wait("connect")


def test_claims_are_asked_where_that_is_configured() -> None:
    """For whom a token is and who made it: another one's is refused, and what we mint says both."""
    rules = TokenRules(audience="chat", issuer="https://ref.supabase.co/auth/v1")
    verifier = TokenVerifier(SECRET, rules=rules)
    assert verifier.verify(mint_user_token(SECRET, USER, 60, rules)).user_id == USER
    said = {"sub": str(USER), "role": "authenticated", "exp": int(time.time()) + 60, **rules.claims}
    for changes in ({"aud": "other"}, {"aud": None}, {"iss": "https://other"}, {"iss": None}):
        claims = {name: value for name, value in {**said, **changes}.items() if value is not None}
        foreign = jwt.encode(claims, SECRET, algorithm="HS256")
        with pytest.raises(TokenError):
            verifier.verify(foreign)
        assert TokenVerifier(SECRET).verify(foreign).user_id == USER
    key = signing_key("ES256")
    assert key.public is not None
    signed = TokenVerifier(None, ProjectKeys(own=[key.public]), rules)
    with pytest.raises(TokenError):
        signed.verify(mint_user_token(key, USER, 60))
