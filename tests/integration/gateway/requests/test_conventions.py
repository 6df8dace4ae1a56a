"""What holds on every route: links, tags, compression, browsers' rules, announcements of what will go."""

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask, Response

from gateway.app import create_app
from gateway.gates.deprecation import announce
from gateway.http.routes import Deprecation, Proof, Route, RouteRule
from gateway.process.runtime import Runtime
from gateway.settings import Settings
from tests.integration.gateway.conftest import Account, data

ORIGIN = "https://desk.example.com"
PREFLIGHT = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}


@pytest.fixture
def other_app(settings: Settings, app: Flask) -> Iterator[Callable[..., Flask]]:
    """Make the app with other settings, on the same stores."""
    made: list[Flask] = []

    def make(**variables: Any) -> Flask:
        made.append(create_app(replace(settings, **variables)))
        return made[-1]

    yield make
    for one in made:
        Runtime.of(one).database.close()
        Runtime.of(one).limits.close()


def test_links_lead_through_every_page(account: Account) -> None:
    """`rel=next` keeps the filters and ends with the last page."""
    conversation = account.make_conversation()
    for index in range(5):
        account.send(conversation, f"m{index}")
    for start, count in (
        (f"/conversations/{conversation}/messages?limit=2&after_seq=0", 5),
        (f"/conversations/{conversation}/messages?limit=2", 5),
        ("/conversations?limit=1&status=open", 1),
    ):
        found, url = 0, start
        while url:
            answer = account.get(url)
            found += len(data(answer))
            link = answer.headers.get("Link", "")
            assert not link or link.endswith('>; rel="next"')
            assert bool(link) == answer.get_json()["pagination"]["hasMore"]
            url = link.partition(">")[0].removeprefix("<")
        assert found == count, start


def test_the_log_always_has_a_next_page(account: Account) -> None:
    """Its link is for ever: also an empty page says where to go on."""
    answer = account.get("/events?limit=3&types=message.new")
    assert "after=" in answer.headers["Link"]
    assert "types=message.new" in answer.headers["Link"]


def test_what_is_known_already_is_not_sent_again(account: Account) -> None:
    """ETag, then 304 without a body until something changes."""
    conversation = account.make_conversation()
    first = account.get("/conversations")
    tag = first.headers["ETag"]
    assert first.headers["Cache-Control"] == "private, no-cache"
    again = account.get("/conversations", headers={"If-None-Match": tag})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)
    assert "X-Request-Id" in again.headers
    account.send(conversation)
    assert account.get("/conversations", headers={"If-None-Match": tag}).status_code == 200
    assert account.get("/conversations", headers={"If-None-Match": f'"x", {tag}'}).status_code == 200


def test_live_answers_and_errors_have_no_tag(account: Account) -> None:
    """The log is of the moment, and an error is nobody's copy."""
    for path in ("/events", "/conversations/999"):
        answer = account.get(path)
        assert "ETag" not in answer.headers
        assert answer.headers["Cache-Control"] == "no-store"


def test_long_answers_are_compressed_for_those_who_ask(account: Account) -> None:
    """The same content, and caches are told on what it depends."""
    conversation = account.make_conversation()
    for index in range(10):
        account.send(conversation, f"m{index}")
    path = f"/conversations/{conversation}/messages"
    plain = account.get(path)
    packed = account.get(path, headers={"Accept-Encoding": "br, gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert len(packed.data) == int(packed.headers["Content-Length"]) < len(plain.data) / 3
    assert "Accept-Encoding" in plain.headers["Vary"]
    for refused in ("identity", "gzip;q=0", ""):
        assert "Content-Encoding" not in account.get(path, headers={"Accept-Encoding": refused}).headers


def test_short_answers_are_not(account: Account) -> None:
    """It would cost more than it saves."""
    answer = account.get("/conversations/1", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in answer.headers


def test_pages_of_the_list_may_ask(other_app: Callable[..., Flask]) -> None:
    """A preflight needs no key and says what may be sent; the answer may be read, with its headers."""
    client = other_app(cors_origins=(ORIGIN,)).test_client()
    preflight = client.options("/api/v1/chat/conversations", headers=PREFLIGHT)
    assert preflight.status_code == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert "X-API-Key" in preflight.headers["Access-Control-Allow-Headers"]
    refused = client.get("/api/v1/chat/conversations", headers={"Origin": ORIGIN})
    assert refused.status_code == 401
    assert refused.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "RateLimit" in refused.headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Credentials" not in refused.headers


@pytest.mark.parametrize("origin", ["https://evil.example.com", "null", "https://desk.example.com.evil.com", "*"])
def test_other_pages_may_not(other_app: Callable[..., Flask], origin: str) -> None:
    """Nothing is allowed, and caches are told that it depends on the origin."""
    client = other_app(cors_origins=(ORIGIN,)).test_client()
    preflight = client.options("/api/v1/chat/conversations", headers=PREFLIGHT | {"Origin": origin})
    answer = client.get("/api/v1/chat/conversations", headers={"Origin": origin})
    for response in (preflight, answer):
        assert not [name for name, _ in response.headers if name.startswith("Access-Control-Allow")]
        assert "Origin" in response.headers["Vary"]


def test_without_a_list_there_is_no_cors(app: Flask) -> None:
    """Not even a preflight is answered."""
    assert app.test_client().options("/api/v1/chat/conversations", headers=PREFLIGHT).status_code == 401


def test_what_will_go_is_announced() -> None:
    """When it was or will be deprecated, when it stops, and what to use instead."""
    app = Flask(__name__)
    since, sunset = datetime(2027, 1, 1, tzinfo=UTC), datetime(2027, 7, 1, tzinfo=UTC)
    gone = Deprecation(since=since, sunset=sunset, successor="/new", notes="/docs")
    app.url_rule_class = RouteRule
    app.after_request(announce)
    for path, going in (("/old", gone), ("/new", None)):
        route = Route("GET", path, lambda: Response(json.dumps({})), area=path, proof=Proof.NOTHING, deprecated=going)
        app.add_url_rule(path, path, route.view, route=route)
    old = app.test_client().get("/old")
    assert old.headers["Deprecation"] == "@1798761600"
    assert old.headers["Sunset"] == "Thu, 01 Jul 2027 00:00:00 GMT"
    assert old.headers.getlist("Link") == [
        '</new>; rel="successor-version"',
        '</docs>; rel="deprecation"; type="text/html"',
    ]
    assert "Deprecation" not in app.test_client().get("/new").headers
    with pytest.raises(ValueError, match="before it is deprecated"):
        Deprecation(since=sunset, sunset=since)
