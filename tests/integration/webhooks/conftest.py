"""Fan-out and sending over a real database, step by step or running."""

import contextlib
import os
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

import psycopg
import pytest
from psycopg.rows import DictRow

from realtime_bridge.relay.loop import Relay
from realtime_bridge.shared.database import Pool
from realtime_bridge.shared.secrets import SecretBox
from realtime_bridge.webhooks.call.attempt import Caller
from realtime_bridge.webhooks.contract.addresses import AddressGuard
from realtime_bridge.webhooks.contract.urls import UrlPolicy
from realtime_bridge.webhooks.places import REQUESTS
from realtime_bridge.webhooks.queue.endpoints import Endpoints
from realtime_bridge.webhooks.sender import WebhookSender
from realtime_bridge.webhooks.sink import WebhookSink
from tests.relays import open_pool

LOOPBACK = UrlPolicy(plain_http=True, guard=AddressGuard((ip_network("127.0.0.0/8"),)))
BOX = SecretBox([os.urandom(32)])


@pytest.fixture
def box() -> SecretBox:
    return BOX


@dataclass(slots=True)
class Webhooks:
    """The sink's relay, which holds its lease, and a sender; the test drives both."""

    pool: Pool
    relay: Relay
    sender: WebhookSender
    caller: Caller

    async def fan_out(self) -> int:
        return await self.relay.run_once()

    async def send_all(self) -> int:
        """Send until nothing is due."""
        total = 0
        while sent := await self.sender.run_once():
            total += sent
        return total

    async def deliver(self) -> int:
        await self.fan_out()
        return await self.send_all()


@contextlib.asynccontextmanager
async def webhooks(
    database_url: str, *, timeout_s: float = 2.0, policy: UrlPolicy = LOOPBACK, **sender: Any
) -> AsyncIterator[Webhooks]:
    async with open_pool(database_url) as pool:
        caller = Caller(policy, connections=REQUESTS, timeout_s=timeout_s)
        relay = Relay(sink=WebhookSink(), pool=pool, owner="test")
        assert await relay.acquire()
        made = WebhookSender(pool=pool, endpoints=Endpoints(BOX), calls=caller, jitter=random.Random(1), **sender)
        try:
            yield Webhooks(pool, relay, made, caller)
        finally:
            await caller.close()


@contextlib.asynccontextmanager
async def another_sender(database_url: str) -> AsyncIterator[WebhookSender]:
    """The sender of a second bridge."""
    async with open_pool(database_url) as pool:
        caller = Caller(LOOPBACK, connections=100, timeout_s=2.0)
        try:
            yield WebhookSender(pool=pool, endpoints=Endpoints(BOX), calls=caller)
        finally:
            await caller.close()


def make_due(conn: psycopg.Connection[DictRow]) -> None:
    """Let time pass: every open delivery is due now, and nobody rests."""
    conn.execute("update webhook_deliveries set next_at = now() where state in ('open', 'sending')")
    conn.execute("update webhook_queues set due_at = now(), not_before = '-infinity' where health <> 'disabled'")
