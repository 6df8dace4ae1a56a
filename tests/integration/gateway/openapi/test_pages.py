"""The pages of `/` and `/docs`: what stands on them, what they may load, and that what they show can be done."""

import importlib.metadata
import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient

from gateway.openapi.pages.site import address_of, slug
from tests.clients.packages import NODE
from tests.integration.gateway.conftest import Account, problem

LARGEST_BYTES = 175_000  # all schemas; a resource has half of that. It was 272 kB for everything at once


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/api/v1/openapi.json").get_json()
    return found


@pytest.fixture
def pages(client: FlaskClient, document: dict[str, Any]) -> dict[str, str]:
    """Every page that the menu leads to, by its address; and one problem's."""
    addresses = ["/docs", "/docs/events", "/docs/schemas", "/docs/problems", "/docs/problems/not_found"]
    addresses += [address_of(entry["name"]) for entry in document["tags"]]
    found = {address: client.get(address) for address in addresses}
    assert {answer.status_code for answer in found.values()} == {200}
    return {address: answer.text for address, answer in found.items()} | {"/": home(client)}


def home(client: FlaskClient) -> str:
    answer = client.get("/", headers={"Accept": "text/html,*/*;q=0.8"})
    assert answer.mimetype == "text/html"
    return answer.text


def described(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def test_the_root_says_what_this_is(client: FlaskClient) -> None:
    """A browser gets a page with links, a program JSON with the same; neither needs a key."""
    page = home(client)
    for link in ("/docs", "/docs/problems", "/api/v1/openapi.json", "/readyz"):
        assert f'href="{link}"' in page
    answer = client.get("/")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    facts = answer.get_json()
    assert (facts["docs"], facts["api"]) == ("/docs", "/api/v1/chat")
    assert facts["version"] == importlib.metadata.version("crossfade")
    assert facts["apiVersion"] == client.get("/api/v1/openapi.json").get_json()["info"]["version"]
    assert "Accept" in answer.headers["Vary"]
    for place in ("docs", "problems", "openapi", "livez"):
        assert client.get(facts[place]).status_code == 200


def test_a_wrong_address_outside_of_the_api_is_no_matter_of_keys(client: FlaskClient) -> None:
    """`/docs/` leads to `/docs`; what is not there is 404, and beneath `/api` still asks who wants to know."""
    moved = client.get("/docs/")
    assert (moved.status_code, moved.headers["Location"]) == (308, "/docs")
    for path in ("/favicon.ico", "/nothing", "/docs/nothing", "/docs/api/nothing", "/docs/problems/nothing"):
        problem(client.get(path), 404, "not_found")
    problem(client.post("/docs"), 405, "method_not_allowed")
    for path in ("/api/v1/chat/nothing", "/api/nothing"):
        problem(client.get(path), 401, "api_key_missing")


def test_pages_reach_for_nothing_outside(client: FlaskClient, pages: dict[str, str]) -> None:
    """One style sheet and one script, of this gateway; no code in the page, and none could be run if there were."""
    for address, text in pages.items():
        loaded = re.findall(r'<(?:script|link|img|iframe|object|embed)\b[^>]*(?:src|href)="([^"]*)"', text)
        assert loaded == ["/docs/docs.css", "/docs/docs.js"], address
        assert not re.search(r'(src|href|action)="(?!/|#)|\sstyle=|\son\w+=|<style|@import|url\(', text), address
        policy = client.get(address, headers={"Accept": "text/html"}).headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'")
        assert "unsafe" not in policy
    for name in ("docs.css", "docs.js"):
        text = client.get(f"/docs/{name}").text
        assert not re.search(r"https?://|@import|url\(|localStorage|sessionStorage|cookie|innerHTML|eval\(", text), name


def test_every_link_and_anchor_leads_somewhere(client: FlaskClient, pages: dict[str, str]) -> None:
    """On every page, to every page; also what the search knows."""
    links = {unescape(link) for text in pages.values() for link in re.findall(r'href="([^"]+)"', text)}
    links |= {entry["url"] for entry in client.get("/docs/search.json").get_json()}
    for link in links:
        url = urlsplit(link)
        text = pages.get(url.path) or client.get(url.path).text
        assert client.get(url.path).status_code in (200, 503), link  # readyz of this app may say what it likes
        assert not url.fragment or f'id="{url.fragment}"' in text, link


def test_every_route_has_its_place(pages: dict[str, str], document: dict[str, Any]) -> None:
    """On its resource's page: path, words, fields of body and answer, three languages and a form to try it."""
    for path, method, operation in described(document):
        page = pages[address_of(operation["tags"][0])]
        section = page.partition(f'<section id="{operation["operationId"]}">')[2].partition("</section>")[0]
        assert f'<span class="method">{method}</span> {path}</code>' in section
        assert operation["summary"] in unescape(section)
        for language in ("curl", "python", "javascript"):
            assert f'<pre data-lang="{language}">' in section
        assert f'<form class="try" data-method="{method}" data-path="{path}">' in section
        for one in operation["parameters"]:
            assert f'name="{one["name"]}" data-in="{one["in"]}"' in section
        content = operation.get("requestBody", {}).get("content", {})
        if content:
            model = content["application/json"]["schema"]["$ref"].rpartition("/")[2]
            for field in document["components"]["schemas"][model]["properties"]:
                assert f"<dt><code>{field}</code> " in section, (operation["operationId"], field)
        assert f'href="{address_of(operation["tags"][0])}#{operation["operationId"]}"' in pages["/docs"]


def test_no_page_is_too_long_to_load(pages: dict[str, str]) -> None:
    """A page holds one resource."""
    assert max(len(text.encode()) for text in pages.values()) < LARGEST_BYTES


def test_requests_go_to_where_the_page_came_from(client: FlaskClient) -> None:
    """The address that was asked for stands in them, and nothing that is none."""
    text = client.get("/docs/api/messages", base_url="https://chat.example.com:8443").text
    assert "https://chat.example.com:8443/api/v1/chat/conversations/1/messages" in text
    assert "127.0.0.1" not in text
    evil = client.get("/docs", headers={"Host": 'a"><script>alert(1)</script>'})
    assert "<script>alert" not in evil.text


def snippets(page: str, language: str) -> list[str]:
    return [
        unescape(found) for found in re.findall(rf'<pre data-lang="{language}"><code>(.*?)</code>', page, re.DOTALL)
    ]


def test_lines_for_curl_are_requests_of_this_api(app: Flask, pages: dict[str, str], account: Account) -> None:
    """Each names a route by method and path, and its body is JSON that the route reads: none is 404 as a path."""
    for page in pages.values():
        for line in snippets(page, "curl"):
            words = shlex.split(line)
            url = next(word for word in words if word.startswith("http"))
            body = words[words.index("-d") + 1] if "-d" in words else None
            method = words[words.index("-X") + 1] if "-X" in words else "GET" if body is None else "POST"
            adapter = app.url_map.bind("x")
            endpoint, _ = adapter.match(urlsplit(url).path, method)
            assert endpoint
            if body is not None:
                json.loads(body)


def test_python_is_python(pages: dict[str, str]) -> None:
    """Every snippet compiles, and calls the method that its route has."""
    found = [text for page in pages.values() for text in snippets(page, "python")]
    assert len(found) > 40
    for text in found:
        compile(text, "snippet", "exec")


def test_javascript_is_javascript(pages: dict[str, str]) -> None:
    """Node.js reads every snippet, and the script of the pages, as modules."""
    texts = [text.replace("const answer", "answer") for page in pages.values() for text in snippets(page, "javascript")]
    for text in ["let answer\n" + "\n".join(texts)]:
        checked = subprocess.run(
            [str(NODE), "--input-type=module", "--check", "-"], input=text, text=True, capture_output=True, check=False
        )
        assert checked.returncode == 0, checked.stderr


def test_the_search_knows_everything(client: FlaskClient, document: dict[str, Any]) -> None:
    """Routes, events, problems, conventions and schemas; a route is found by a field that it takes."""
    entries = client.get("/docs/search.json").get_json()
    titles = {entry["title"] for entry in entries}
    assert {operation["summary"] for _, _, operation in described(document)} <= titles
    assert {*document["webhooks"], "rate_limited", "Pages", "Message"} <= titles
    found = {entry["title"] for entry in entries if "snoozedUntil" in entry["words"]}
    assert "Change a conversation" in found


def test_addresses_are_plain() -> None:
    """A resource's address says its name."""
    assert slug("API keys") == "api-keys"
