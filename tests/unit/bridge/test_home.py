"""The bridge's own pages, asked over ASGI as a server asks them."""

import asyncio
import json
import re
from typing import Any, cast

import httpx
import pytest

from realtime_bridge.process.probes import create_http_app
from realtime_bridge.shared.database import Pool


def get(path: str, accept: str) -> httpx.Response:
    app = create_http_app(cast("Pool", None), [])  # neither page asks the database

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=cast("Any", app))
        async with httpx.AsyncClient(transport=transport, base_url="http://bridge") as client:
            return await client.get(path, headers={"Accept": accept})

    return asyncio.run(ask())


def test_the_root_says_what_this_is() -> None:
    """A browser gets a page with links, a program the same as JSON on a line that ends."""
    page = get("/", "text/html,application/xhtml+xml,*/*;q=0.8")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    for word in ("Crossfade bridge", 'href="/readyz"', "No legacy sockets"):
        assert word in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    links = set(re.findall('href="([^"]*)"', page.text))
    served = {cast("Any", route).path for route in create_http_app(cast("Pool", None), []).routes}
    assert links
    assert links <= served
    facts = get("/", "*/*")
    assert {link for link in json.loads(facts.text).values() if str(link).startswith("/")} == links
    assert facts.text.endswith("}\n")
    assert json.loads(facts.text)["readyz"] == "/readyz"


@pytest.mark.parametrize("accept", ["*/*", "text/html"])
def test_probes_end_their_line(accept: str) -> None:
    """Whoever asks."""
    assert get("/livez", accept).text == '{"status": "ok"}\n'
