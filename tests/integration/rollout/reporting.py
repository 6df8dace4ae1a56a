"""Bridge with legacy sockets that reports when a test says so, and clients with the answers they were given."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg

from gateway.store.realtime_sessions import note_told
from realtime_bridge.fleet.clock import DatabaseClock
from realtime_bridge.fleet.heartbeat import Heartbeat
from realtime_bridge.fleet.reports import Report
from realtime_bridge.shared import database
from realtime_bridge.shared.tokens import mint_user_token
from tests.integration.legacy.clients import Client, Clients
from tests.integration.legacy.harness import SECRET, Bridge
from tests.waiting import wait_for

SESSION_S = 900


class Reporting:
    """A bridge with legacy sockets that reports when the test says so."""

    def __init__(self, bridge: Bridge, database_url: str) -> None:
        self._bridge = bridge
        self._url = database_url
        self._heartbeat = bridge.call(self._make())

    async def _make(self) -> Heartbeat:
        self._pool = database.pool(self._url, name="test", size=2)
        await self._pool.open()
        state = Report(
            bridge="host:1:bridge",
            provider="rollout",
            sinks={},
            feed_mode="full",
            version=1,
            has_canary=True,
        )
        sessions = self._bridge.server.sessions
        return Heartbeat(
            pool=self._pool,
            state=lambda: state,
            sockets=sessions.count_by_user,
            take_gone=sessions.take_gone,
            clock=DatabaseClock(),
        )

    def beat(self, sockets: int) -> None:
        """Report once that many sockets are here."""
        wait_for(lambda: len(self._bridge.server.sessions) == sockets, f"{sockets} sockets")
        self._bridge.call(self._heartbeat.run_once())

    def close(self) -> None:
        self._bridge.call(self._pool.close())


def tell(conn: psycopg.Connection[Any], account: UUID, user: UUID, provider: str) -> str:
    """Give a user an answer, as the gateway does; return its token."""
    note_told(conn, account, user, provider, datetime.now(UTC) + timedelta(seconds=SESSION_S))
    return mint_user_token(SECRET, user, SESSION_S, told=provider)


def connect(clients: Clients, url: str, token: str) -> Client:
    client = clients.open(url, {"token": token})
    client.wait("connect")
    return client
