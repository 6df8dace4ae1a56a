"""`/docs` as a person uses it: found by searching, tried with a key, read on a phone. In a real browser."""

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.serving import make_server

from tests.browser import DESK, PHONE, Browser
from tests.integration.gateway.conftest import Account

PICTURES = os.environ.get("CROSSFADE_PICTURES")  # a directory: what the browser sees is kept there, to be looked at
PAGES = ("/", "/docs", "/docs/api/messages", "/docs/api/webhooks", "/docs/events", "/docs/schemas", "/docs/problems")
IN_MESSAGES = "document.getElementById('messages.list_messages')"


@pytest.fixture
def site(app: Flask) -> Iterator[str]:
    """The address of the running app."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def type_into(page: Browser, selector: str, text: str) -> None:
    page.run(
        f"(i => {{ i.value = {json.dumps(text)}; i.dispatchEvent(new Event('input', {{bubbles: true}})) }})"
        f"(document.querySelector({json.dumps(selector)}))"
    )


@pytest.mark.parametrize("width", [PHONE, DESK])
@pytest.mark.parametrize("path", PAGES)
def test_pages_fit_their_screen(chromium: Browser, site: str, path: str, width: int) -> None:
    """Nothing runs out of it sideways, and what the page is about is on the first screen, not below its menu."""
    chromium.open(f"{site}{path}", width=width)
    chromium.until("document.body.dataset.lang")
    if PICTURES:
        name = path.strip("/").replace("/", "-") or "home"
        chromium.picture(Path(PICTURES) / f"{name}-{width}.png")
    assert chromium.run("document.documentElement.scrollWidth") <= width
    assert chromium.run("document.querySelector('h1').getBoundingClientRect().bottom") < 300
    is_open = chromium.run("getComputedStyle(document.querySelector('nav')).display !== 'none'")
    assert is_open == (width == DESK)


@pytest.mark.parametrize("path", [*PAGES, "/docs/problems/validation_failed"])
def test_pages_are_for_everybody(chromium: Browser, site: str, path: str) -> None:
    """Axe finds nothing in them."""
    chromium.open(f"{site}{path}", width=DESK)
    chromium.until("document.body.dataset.lang")
    assert chromium.faults() == []


def test_answers_and_hits_are_for_everybody(chromium: Browser, site: str, account: Account) -> None:
    """Axe finds nothing in what the script shows: an answer, a refusal, a search; on a phone's screen as well."""
    chromium.open(f"{site}/docs/api/api-keys", width=PHONE)
    chromium.until("document.body.dataset.lang")
    for key, status in ((account.key, 200), ("wrong", 401)):
        type_into(chromium, "#key", key)
        chromium.run("document.querySelector('section#keys\\\\.list_keys form.try').requestSubmit()")
        chromium.until(f"document.querySelector('#keys\\\\.list_keys .answer b')?.textContent.startsWith('{status}')")
        assert chromium.faults() == []
    type_into(chromium, "#search", "list messages")
    chromium.until("document.querySelector('#found a')")
    assert chromium.faults() == []


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_where_one_is_is_seen(chromium: Browser, site: str, width: int) -> None:
    """Whoever goes on with the Tab key stops at nothing that is not there to be seen."""
    chromium.open(f"{site}/docs/api/account", width=width)
    chromium.until("document.body.dataset.lang")
    stops = set()
    for _ in range(40):
        chromium.press("Tab")
        stops.add(chromium.run("document.activeElement.id || document.activeElement.textContent"))
        assert chromium.run(
            "[document.activeElement, ...(document.activeElement.labels ?? [])]"
            ".some((one) => one.checkVisibility({ opacityProperty: true }) && one.getBoundingClientRect().width > 0)"
        ), chromium.run("document.activeElement.outerHTML")
    assert {"search", "key"} <= stops
    assert ("menu" in stops) == (width == PHONE)


def test_a_request_is_found_and_tried(chromium: Browser, site: str, account: Account) -> None:
    """Search, follow, type the key, send: the answer stands there; and the key is nowhere but in its field."""
    conversation = account.make_conversation()
    account.send(conversation)
    chromium.open(f"{site}/docs", width=DESK)
    chromium.until("document.body.dataset.lang")
    chromium.run("window.same = true")
    type_into(chromium, "#key", account.key)
    type_into(chromium, "#search", "list messages")
    chromium.until("document.querySelector('#found a')?.textContent === 'List messages'")
    chromium.run("document.querySelector('#found a').click()")
    chromium.until(IN_MESSAGES)
    assert chromium.run("window.same && location.hash") == "#messages.list_messages", "the tab stayed, with its key"
    form = f"{IN_MESSAGES}.querySelector('form.try')"
    assert chromium.run(f"!{form}.parentElement.hidden")
    chromium.run(f"{form}.elements.conversation_id.value = '{conversation}'; {form}.requestSubmit()")
    chromium.until(f"{form}.querySelector('.answer b')?.textContent.startsWith('200')")
    assert json.loads(chromium.run(f"{form}.querySelector('.answer pre').textContent"))["data"][0]["content"]
    kept = "document.documentElement.outerHTML + document.cookie + JSON.stringify({...localStorage, ...sessionStorage})"
    assert account.key not in chromium.run(kept)


def test_routes_are_found_before_problems(chromium: Browser, site: str) -> None:
    """Also where only their path has the word; a problem is found all the same, and alone by its own name."""
    chromium.open(f"{site}/docs", width=DESK)
    chromium.until("document.body.dataset.lang")
    places = "[...document.querySelectorAll('#found small')].map(place => place.textContent)"
    type_into(chromium, "#search", "attach")
    chromium.until(f"{places}.length > 3")
    found = chromium.run(places)
    kinds = [place.partition(" ")[0] for place in found]
    assert kinds.index("Problem,") > max(number for number, place in enumerate(found) if "/attachments" in place)
    type_into(chromium, "#search", "attachment_taken")
    chromium.until(f"{places}.length === 1")
    assert chromium.run(places) == ["Problem, 409"]


def test_a_link_into_a_page_marks_one_heading(chromium: Browser, site: str) -> None:
    """That of the place which it leads to, and none of what stands below."""
    chromium.open(f"{site}/docs/api/messages#messages.list_messages", width=DESK)
    chromium.until("document.body.dataset.lang")
    is_marked = "h => getComputedStyle(h).backgroundColor !== 'rgba(0, 0, 0, 0)'"
    headings = f"[...document.querySelectorAll('h2, h3')].filter({is_marked}).map(h => h.textContent)"
    assert chromium.run(headings) == ["List messages"]


def test_what_goes_wrong_is_said(chromium: Browser, site: str, account: Account) -> None:
    """Without a key or an id nothing is sent; what the API refuses is shown as it refuses it."""
    chromium.open(f"{site}/docs/api/messages", width=DESK)
    chromium.until("document.body.dataset.lang")
    form, answer = f"{IN_MESSAGES}.querySelector('form.try')", f"{IN_MESSAGES}.querySelector('.answer')"
    for key, conversation, words in (
        ("", "", "Type your API key"),
        ("cf_dev_wrong", "", "conversation_id is missing"),
        ("cf_dev_wrong", "1", "401"),
        (account.key, "999", "404"),
    ):
        type_into(chromium, "#key", key)
        chromium.run(f"{form}.elements.conversation_id.value = '{conversation}'; {form}.requestSubmit()")
        chromium.until(f"{answer}.textContent.includes({json.dumps(words)})")
        assert chromium.run(f"{answer}.hasAttribute('data-wrong')")


def test_a_language_stays_chosen(chromium: Browser, site: str) -> None:
    """One of three is shown, the same on the next page; each with the address that the browser has."""
    chromium.open(f"{site}/docs/api/messages", width=PHONE)
    chromium.until("document.querySelector('[data-tab=python]')")
    chromium.run("document.querySelector('[data-tab=python]').click()")
    chromium.run("document.querySelector('nav a[href=\"/docs/api/conversations\"]').click()")
    chromium.until("document.getElementById('conversations.list_conversations')")
    shown = "[...document.querySelectorAll('pre[data-lang]')].filter(p => p.offsetParent).map(p => p.dataset.lang)"
    assert set(chromium.run(shown)) == {"python"}
    assert f"{site}/api/v1/chat/conversations" in chromium.run(
        "document.querySelector('pre[data-lang=python]').textContent"
    )
    chromium.run("history.back()")
    chromium.until(IN_MESSAGES)


def test_the_menu_opens_on_a_phone(chromium: Browser, site: str) -> None:
    """By its button, and closes when somebody has chosen."""
    chromium.open(f"{site}/docs", width=PHONE)
    chromium.until("document.body.dataset.lang")
    displayed = "getComputedStyle(document.querySelector('nav')).display"
    chromium.run("document.querySelector('label[for=menu]').click()")
    assert chromium.run(displayed) == "block"
    chromium.run("document.querySelector('nav a[href=\"/docs/events\"]').click()")
    chromium.until(
        "location.pathname === '/docs/events' && document.querySelector('h1').textContent.startsWith('Events')"
    )
    chromium.until(f"{displayed} === 'none'")
