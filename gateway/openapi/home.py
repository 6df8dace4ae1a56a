"""The root of the gateway: what this is and where to go on, for a person or a program. Pure."""

import importlib.metadata
from collections.abc import Iterable
from html import escape

from gateway.openapi.document import VERSION
from gateway.openapi.pages import shell
from gateway.openapi.pages.text import block, paragraphs
from gateway.v1.paths import PREFIX

HTML = "text/html"
JSON = "application/json"
WORDS = """This is the gateway of Crossfade: a REST API for live chat, which moves its users from legacy sockets to
Supabase Realtime with nobody noticing.

Every route of the API is beneath `/api/v1/chat` and wants a key in `X-API-Key`. Where `./ops/up` started it, its banner
shows one; `crossfade keys create` makes others."""
CURL = "curl http://127.0.0.1:8000/api/v1/chat/conversations -H 'X-API-Key: cf_dev_…'"
LINKS = (
    ("/docs", "Documentation", "the first message, every route, its fields, and a form to try it"),
    ("/docs/events", "Events and webhooks", "what the log holds and webhooks are sent"),
    ("/docs/problems", "Problems", "every error, and what to do about it"),
    ("/api/v1/openapi.json", "openapi.json", "the same for programs (OpenAPI 3.1)"),
    ("/livez", "livez", "whether the process answers"),
    ("/readyz", "readyz", "whether requests can succeed"),
)
FACTS = {
    "name": "Crossfade gateway",
    "version": importlib.metadata.version("crossfade"),
    "apiVersion": VERSION,
    "api": PREFIX,
    "docs": "/docs",
    "problems": "/docs/problems",
    "openapi": "/api/v1/openapi.json",
    "livez": "/livez",
    "readyz": "/readyz",
}


def page(tags: Iterable[str]) -> str:
    lines = "".join(
        f'<li><a href="{address}">{escape(title)}</a><small>{escape(words)}</small></li>'
        for address, title, words in LINKS
    )
    body = f'<h1>Crossfade</h1>{paragraphs(WORDS)}{block(CURL)}<ul class="routes">{lines}</ul>'
    return shell.page("Crossfade", body, tags=tags, at="/")
