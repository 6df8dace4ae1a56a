"""No URL of the corpus leads to a connection: not where it is accepted, and not where the socket is made."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence
from ipaddress import ip_network

import aiohttp
import pytest
from aiohttp import web

from realtime_bridge.webhooks.call.address_guard import create_connector
from realtime_bridge.webhooks.call.attempt import Attempt, Caller
from realtime_bridge.webhooks.contract.addresses import AddressGuard, AddressRefused, parse_networks
from realtime_bridge.webhooks.contract.outcomes import Outcome
from realtime_bridge.webhooks.contract.urls import UrlPolicy, UrlRefused
from tests.integration.webhooks.corpus import ADDRESSES, PUBLIC, refused_urls
from tests.servers.receivers import receiver
from tests.taken_deliveries import delivery, endpoint

CORPUS = sorted(set(refused_urls()))
LENIENT = UrlPolicy(plain_http=True)


@contextlib.asynccontextmanager
async def caller(
    policy: UrlPolicy = LENIENT, addresses: dict[str, Sequence[str]] | None = None
) -> AsyncIterator[Caller]:
    """A caller whose DNS answers are ours."""

    def lookup(host: str, port: int, family: int) -> list[str]:
        if not addresses or host not in addresses:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return list(addresses[host])

    made = Caller(policy, connections=10, timeout_s=2.0, lookup=lookup)
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every address that any socket of this process is told to connect to; nothing is really connected."""
    seen: list[object] = []

    async def connect(_loop: object, _sock: object, address: object) -> None:
        seen.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(asyncio.selector_events.BaseSelectorEventLoop, "sock_connect", connect)
    return seen


def test_the_corpus_is_large() -> None:
    """At least three hundred different URLs."""
    assert len(CORPUS) >= 300


@pytest.mark.parametrize("url", CORPUS)
def test_an_endpoint_cannot_have_it(url: str) -> None:
    """The API's check refuses each with a sentence."""
    for policy in (UrlPolicy(), LENIENT):
        with pytest.raises(UrlRefused) as caught:
            policy.check(url)
        assert len(str(caught.value)) > 10


@pytest.mark.parametrize("url", PUBLIC)
def test_a_public_endpoint_can_be_had(url: str) -> None:
    """The guard is no wall around everything."""
    assert UrlPolicy().check(url)


def test_an_attempt_at_any_of_them_makes_no_connection(dialled: list[object]) -> None:
    """Even when it stands in the database: the sender refuses, says so, and no socket is connected."""

    async def scenario() -> None:
        async with caller() as made:
            for url in CORPUS:
                attempt = await made.attempt(delivery(), endpoint(url))
                assert attempt.outcome is Outcome.ADDRESS_REFUSED, (url, attempt)
                assert attempt.error

    asyncio.run(scenario())
    assert dialled == []


def test_the_socket_itself_is_guarded(dialled: list[object]) -> None:
    """Without the check of URLs, aiohttp with our connector still connects nowhere in the corpus."""

    async def scenario() -> None:
        async with aiohttp.ClientSession(connector=create_connector(AddressGuard(), limit=10)) as session:
            for url in (f"http://{address}:8080/" for address in ADDRESSES):
                with pytest.raises((AddressRefused, aiohttp.ClientError, ValueError, OSError)):
                    await session.post(url, allow_redirects=False, timeout=aiohttp.ClientTimeout(total=2))

    asyncio.run(scenario())
    assert dialled == []


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fd00::1", "64:ff9b::7f00:1"])
def test_a_name_that_resolves_inside_is_refused(dialled: list[object], address: str) -> None:
    """One refused address among good ones is enough, in any order, and the owner is told which."""

    async def scenario() -> None:
        for answers in ([address], ["93.184.215.14", address], [address, "93.184.215.14"]):
            async with caller(addresses={"rebind.example.com": answers}) as made:
                attempt = await made.attempt(delivery(), endpoint("http://rebind.example.com:8080/"))
            assert attempt.outcome is Outcome.ADDRESS_REFUSED
            assert address in attempt.error

    asyncio.run(scenario())
    assert dialled == []


def test_a_name_that_changes_its_mind_is_refused(dialled: list[object]) -> None:
    """DNS that answers a public address first and a private one later: only the public one is called."""
    answers = [["93.184.215.14"], ["127.0.0.1"]]

    async def scenario() -> None:
        made = Caller(LENIENT, connections=10, timeout_s=2.0, lookup=lambda *_: answers.pop(0))
        try:
            first = await made.attempt(delivery(), endpoint("http://rebind.example.com:8080/"))
            connector = made._session.connector
            assert isinstance(connector, aiohttp.TCPConnector)
            connector.clear_dns_cache()
            second = await made.attempt(delivery(), endpoint("http://rebind.example.com:8080/"))
        finally:
            await made.close()
        assert first.outcome is Outcome.CONNECTION_REFUSED
        assert second.outcome is Outcome.ADDRESS_REFUSED

    asyncio.run(scenario())
    assert dialled == [("93.184.215.14", 8080)]


def test_a_redirect_is_not_followed() -> None:
    """An allowed receiver that points inside is a failure, and the place it points to hears nothing."""
    policy = UrlPolicy(plain_http=True, guard=AddressGuard((ip_network("127.0.0.1/32"),)))

    async def scenario() -> list[Attempt]:
        async with receiver() as told, caller(policy) as made:
            attempts = []
            for status in (301, 302, 303, 307, 308):

                async def redirect(_: web.Request, status: int = status) -> web.StreamResponse:
                    return web.Response(status=status, headers={"Location": f"{told.url}/inside"})

                told.answers[f"/{status}"] = redirect
                attempts.append(await made.attempt(delivery(), endpoint(f"{told.url}/{status}")))
            assert told.at("/inside") == []
            return attempts

    assert {attempt.outcome for attempt in asyncio.run(scenario())} == {Outcome.REDIRECT}


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch, dialled: list[object]) -> None:
    """A proxy variable would carry requests around the guard."""
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:3128")

    async def scenario() -> None:
        async with caller(addresses={"example.com": ["93.184.215.14"]}) as made:
            await made.attempt(delivery(), endpoint("http://example.com:8080/"))

    asyncio.run(scenario())
    assert dialled == [("93.184.215.14", 8080)]


def test_an_operator_may_allow_networks_but_never_metadata() -> None:
    """A named private network is called; the metadata addresses within an allowed one are not."""
    guard = AddressGuard(parse_networks(["10.0.0.0/8", "169.254.0.0/16", "fd00::/8", "100.64.0.0/10"]))
    for address in ("10.1.2.3", "fd00::1", "::ffff:10.1.2.3", "169.254.1.1"):
        guard.check(address)
    for address in (
        "169.254.169.254",
        "fd00:ec2::254",
        "::ffff:169.254.169.254",
        "100.100.100.200",
        "127.0.0.1",
        "192.168.0.1",
    ):
        with pytest.raises(AddressRefused):
            guard.check(address)
