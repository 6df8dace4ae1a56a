"""The end of the legacy side: a socket that is fed no more is told, and closed with a reason."""

import asyncio
import json
from dataclasses import replace
from uuid import uuid4

import pytest
from rich.console import Console

from ops.demo.sides import SocketIoSide, opened
from ops.demo.tracker import SideName, Tracker
from ops.demo.view import JsonView, LineView
from ops.embedded.ready import DemoUser
from realtime_bridge.legacy.farewell import CHANGED, CLOSED, REASON, Farewell
from realtime_bridge.shared.canary_user import CANARY_ID
from tests.integration.legacy.clients import Clients
from tests.integration.legacy.conftest import Room
from tests.integration.legacy.harness import Bridge, token
from tests.stack_facts import READY
from tests.waiting import wait_for

GRACE_S = 60.0


class End:
    """A farewell on a clock of its own; `is_over` is what the dial says."""

    def __init__(self, bridge: Bridge) -> None:
        self.now = 0.0
        self.is_over = False
        self._bridge = bridge
        self._notice = {"flag": "chat_realtime_provider", "version": 9, "eventId": str(uuid4())}
        self.farewell = Farewell(
            bridge.server,
            find_notice=lambda: self._notice if self.is_over else None,
            grace_s=GRACE_S,
            clock=lambda: self.now,
        )

    def look(self) -> int:
        return self._bridge.call(self.farewell.run_once())


def test_sockets_that_are_fed_no_more_are_told_and_then_closed(bridge: Bridge, room: Room, clients: Clients) -> None:
    """Each is told once, has its time, hears why and how to return, comes back, and is told again. The canary stays."""
    old, canary = clients.connect(bridge.url, room.member), clients.connect(bridge.url, CANARY_ID)
    end = End(bridge)
    assert end.look() == 0
    end.is_over = True
    assert [end.look() for _ in range(2)] == [0, 0]
    assert old.wait_event(CHANGED)["version"] == 9
    late = clients.connect(bridge.url, room.owner)
    end.now += GRACE_S - 1
    assert end.look() == 0
    end.now += 1
    assert end.look() == 1
    closed = old.wait_event(CLOSED)
    assert closed["code"] == "moved_to_supabase"
    assert "/api/v1/chat/realtime/sessions" in closed["message"]
    assert late.wait_event(CHANGED)["version"] == 9
    old.wait("connect", times=2)
    end.now += GRACE_S - 1
    assert end.look() == 1
    assert late.wait_event(CLOSED) == closed
    assert (old.wait_event(CHANGED, times=2)["version"], old.count("disconnect")) == (9, 1)
    assert (canary.received(CHANGED), canary.count("disconnect")) == ([], 0)


def test_who_was_closed_hears_again_once_legacy_is_fed_again(bridge: Bridge, room: Room, clients: Clients) -> None:
    """An old client that knows no notice: its library reconnects by itself, and what is sent then arrives."""
    old = clients.open_old(bridge.url, room.member, room.id)
    end = End(bridge)
    end.is_over = True
    end.look()
    end.now += GRACE_S
    assert end.look() == 1
    old.wait("disconnect")
    end.is_over = False
    old.wait("connect", times=2)
    end.look()
    wait_for(lambda: any(session.subscriptions for session in bridge.server.sessions.all()), "its subscription")
    bridge.deliver(room.append("we are back"))
    assert old.wait_event("message")["content"] == "we are back"


def test_a_rollback_within_the_grace_time_closes_nobody(bridge: Bridge, room: Room, clients: Clients) -> None:
    """Legacy is fed again, and whoever is still here stays; at the next complete the time begins anew."""
    client = clients.connect(bridge.url, room.member)
    end = End(bridge)
    for is_over in (True, False, True):
        end.is_over = is_over
        end.now += GRACE_S - 1
        assert end.look() == 0
    client.wait_event(CHANGED, times=2)
    assert client.count("disconnect") == 0


def test_the_demo_says_why_its_socket_was_closed(
    bridge: Bridge, room: Room, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the bridge's own words; the socket would seem to wait for messages."""
    facts = replace(READY, bridge_url=bridge.url, conversation_id=room.id)
    ready = replace(facts, users=(DemoUser(id=str(room.member), token=token(room.member)),))
    end, closed = End(bridge), asyncio.Event()
    views: list[LineView] = [JsonView(Tracker()), LineView(Tracker(), Console(width=200))]

    def show(side: SideName, reason: str) -> None:
        for view in views:
            view.show_closed(side, reason)
        closed.set()

    async def watch() -> None:
        async with opened(SocketIoSide(ready, lambda *_: None, show)):
            end.is_over = True
            await asyncio.to_thread(end.look)
            end.now += GRACE_S
            assert await asyncio.to_thread(end.look) == 1
            await asyncio.wait_for(closed.wait(), 10)

    asyncio.run(watch())
    as_json, line = [line for line in capsys.readouterr().out.splitlines() if REASON["message"] in line]
    assert json.loads(as_json) == {"closed": {"side": "socketio", "reason": REASON["message"]}}
    assert line == f"Socket.IO was closed by the bridge: {REASON['message']}"
