"""What ends sockets in time is watched: without it a token would open its socket for ever."""

import asyncio

import pytest

from realtime_bridge.legacy.endings import Endings
from tests.integration.legacy.harness import Bridge


def test_what_ends_sockets_does_not_die_unheard(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anything unforeseen reaches who runs the server, and with it the bridge ends and is started anew."""

    async def break_down(_: Endings) -> int:
        raise RuntimeError("unforeseen")

    bridge = Bridge(database_url).start()
    try:
        monkeypatch.setattr(Endings, "run_once", break_down)
        with pytest.raises(RuntimeError, match="unforeseen"):
            bridge.call(asyncio.wait_for(bridge.server.run(), 5))
    finally:
        bridge.stop()
