"""A WhatsApp channel as the bridge sees it: its rows, the path of a message to the phones, and what came of it."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg.rows import DictRow

from realtime_bridge.relay.loop import Relay
from realtime_bridge.shared.secrets import SecretBox
from realtime_bridge.wuzapi.channels import token_context
from realtime_bridge.wuzapi.client import WuzapiClient
from realtime_bridge.wuzapi.sender import Sender
from realtime_bridge.wuzapi.sink import WuzapiSink
from tests.factories import make_conversation
from tests.relays import held_relay, open_pool
from tests.servers.wuzapi_server import TOKEN

ANA, BOB = "5491155553934@s.whatsapp.net", "5491100000000@s.whatsapp.net"
SECRETS = SecretBox([bytes(32)])


def make_channel(
    conn: psycopg.Connection[DictRow], account_id: UUID, url: str, *, name: str = "whatsapp", token: str = TOKEN
) -> UUID:
    channel_id = uuid4()
    conn.execute(
        "insert into chat_channels (id, user_id, kind, name, base_url, sealed_token, sealed_hmac_key)"
        " values (%s, %s, 'wuzapi', %s, %s, %s, '')",
        (channel_id, account_id, name, url, SECRETS.seal(token.encode(), token_context(channel_id))),
    )
    return channel_id


def whatsapp_conversation(
    conn: psycopg.Connection[DictRow], account_id: UUID, contact: str, channel: str = "whatsapp"
) -> int:
    conversation_id = make_conversation(conn, account_id, contact=contact)
    conn.execute("update conversations set channel = %s where id = %s", (channel, conversation_id))
    return conversation_id


@contextlib.asynccontextmanager
async def path_to_phones(
    database_url: str, *urls: str, timeout_s: float = 5.0, **options: Any
) -> AsyncIterator[tuple[Relay, Sender]]:
    """A relay and a sender, driven step by step."""
    client = WuzapiClient(timeout_s=timeout_s)
    async with held_relay(database_url, WuzapiSink()) as relay, open_pool(database_url) as pool:
        sender = Sender(pool=pool, secrets=SECRETS, servers=frozenset(urls), client=client, **options)
        try:
            yield relay, sender
        finally:
            await client.close()


async def send_all(sender: Sender) -> None:
    while await sender.run_once():
        await sender.drain()


def due_now(conn: psycopg.Connection[DictRow]) -> None:
    """Let the waits be over."""
    conn.execute("update chat_channel_sends set next_at = now() where state = 'queued'")
    conn.execute("update chat_channels set retry_at = null")


def statuses(conn: psycopg.Connection[DictRow]) -> list[str]:
    return [row["status"] for row in conn.execute("select status from chat_messages order by id").fetchall()]
