"""Front page of the bridge: what this is, where to go on. For a person or a program."""

import json
from html import escape
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

HEADERS = {
    # Nothing may be loaded, framed or run.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Vary": "Accept",
}
STYLE = (
    ":root{color-scheme:light dark}"
    "body{color:CanvasText;background:Canvas;font:16px/1.6 system-ui,sans-serif}"
    "main{max-width:42rem;margin:3rem auto;padding:0 1rem}"
)
WORDS = (
    "This is the bridge of Crossfade: it carries what the gateway has committed to Supabase Realtime, to the legacy"
    " sockets and to webhooks. Clients of the legacy sockets connect here; the REST API is the gateway's."
)
LINKS = (
    ("/livez", "whether the process answers"),
    ("/readyz", "whether it is well, and what each sink does"),
)


class JsonLine(JSONResponse):
    """JSON with the end of its line, so that a shell's prompt begins where a prompt begins."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content).encode() + b"\n"


def answer(request: Request, *, legacy_path: str | None) -> Response:
    """Return a page to who prefers HTML, as browsers do, else JSON. `legacy_path` is None where none is served."""
    if "text/html" in request.headers.get("accept", ""):
        return HTMLResponse(page(legacy_path), headers=HEADERS)
    facts = {"name": "Crossfade bridge", "socketIo": legacy_path} | {path.strip("/"): path for path, _ in LINKS}
    return JsonLine(facts, headers=HEADERS)


def page(legacy_path: str | None) -> str:
    where = (
        f"Socket.IO is at <code>{escape(legacy_path)}</code>." if legacy_path else "No legacy sockets are served here."
    )
    links = "".join(f'<li><a href="{path}">{path}</a>: {escape(words)}</li>' for path, words in LINKS)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><title>Crossfade bridge</title>'
        f"<style>{STYLE}</style></head><body><main><h1>Crossfade bridge</h1><p>{escape(WORDS)}</p><p>{where}</p>"
        f"<ul>{links}</ul></main></body></html>\n"
    )
