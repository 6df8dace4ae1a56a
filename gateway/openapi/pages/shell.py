"""What all pages of `/docs` share: the head, the search, the menu. Pure.

Nothing is fetched from anywhere but this gateway: a style sheet and a script, without which the pages are complete.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from gateway.openapi.pages.snippets import BASE
from gateway.openapi.pages.text import slug

HOME = "/docs"
SCHEMAS = "/docs/schemas"
EVENTS = "/docs/events"
PROBLEMS = "/docs/problems"
BEGIN = (("Begin", HOME), ("Conventions", f"{HOME}#conventions"))
MORE = (("Events and webhooks", EVENTS), ("Schemas", SCHEMAS), ("Problems", PROBLEMS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A link in the menu, one step in when it leads to a part of the page."""

    title: str
    address: str
    hint: str = ""


def address_of(tag: str) -> str:
    """Return where a resource's page is."""
    return f"{HOME}/api/{slug(tag)}"


def page(title: str, body: str, *, tags: Iterable[str], at: str, parts: Iterable[Place] = ()) -> str:
    """Return a whole page. `at` is its address, `parts` are the places in it that the menu shows."""
    inner = "".join(
        f'<a class="inner" href="{escape(part.address)}" title="{escape(part.hint)}">{escape(part.title)}</a>'
        for part in parts
    )
    resources = [(tag, address_of(tag)) for tag in tags]
    menu = "".join(
        f"<h2>{heading}</h2>" + "".join(_link(name, address, at, inner) for name, address in places)
        for heading, places in (("Begin", BEGIN), ("Resources", resources), ("More", MORE))
    )
    menu += '<a href="/api/v1/openapi.json">openapi.json</a>'
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title>"
        '<link rel="stylesheet" href="/docs/docs.css"><script type="module" src="/docs/docs.js"></script></head>'
        f'<body data-base="{BASE}"><header><a href="/docs">Crossfade API</a>'
        '<input type="checkbox" id="menu" aria-label="Menu"><label for="menu">Menu</label>'
        '<input type="search" id="search" placeholder="Search, or press /" aria-label="Search" data-script hidden>'
        '<label class="key" data-script hidden>Key <input id="key" type="password" autocomplete="off"'
        ' placeholder="cf_… (kept in this tab only)" aria-label="API key, kept in this tab only"></label></header>'
        f'<div class="columns"><nav>{menu}</nav><main><div id="found" hidden></div>'
        f'<div id="page">{body}</div></main></div></body></html>\n'
    )


def _link(name: str, address: str, at: str, inner: str) -> str:
    is_here = address == at
    current = ' aria-current="page"' if is_here else ""
    return f'<a href="{escape(address)}"{current}>{escape(name)}</a>{inner if is_here else ""}'
