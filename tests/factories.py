"""Rows that tests begin with, written with plain SQL so that no test depends on the code of another."""

import json
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg

from gateway.domain import key_text
from gateway.domain.keys import Scope
from realtime_bridge.shared.secrets import SecretBox
from realtime_bridge.shared.tokens import Claims
from realtime_bridge.webhooks.contract import signing
from realtime_bridge.webhooks.contract.signing import secrets_context

ALLOW = """
    update auth.users set raw_app_meta_data = coalesce(raw_app_meta_data, '{}') || jsonb_build_object(
        'chat_accounts', coalesce(raw_app_meta_data -> 'chat_accounts', '[]') || to_jsonb(%(account)s::text)
    )
    where id = any(%(members)s::uuid[]) and not coalesce(raw_app_meta_data -> 'chat_accounts' ? %(account)s, false)
"""


def claims_of(user_id: UUID) -> Claims:
    """Return what a token says that was signed for `user_id` just now."""
    now = int(time.time())
    return Claims(user_id=user_id, expires_at=now + 900, issued_at=now)


def make_user(connection: psycopg.Connection[Any], email: str | None = None, *, accounts: Sequence[UUID] = ()) -> UUID:
    """Create a row in auth.users, which is also what an account is, for `accounts` to name; return its id."""
    user_id = uuid4()
    app_metadata = json.dumps({"chat_accounts": [str(account_id) for account_id in accounts]})
    connection.execute(
        "insert into auth.users (id, aud, role, email, raw_app_meta_data)"
        " values (%s, 'authenticated', 'authenticated', %s, %s)",
        (user_id, email or f"{user_id}@example.com", app_metadata),
    )
    return user_id


def make_conversation(
    connection: psycopg.Connection[Any], account_id: UUID, *members: UUID, contact: str = "c@x"
) -> int:
    """Create a conversation (no event) owned by `account_id`, with `members` as clients; return its id.

    The members are users of the account, as the gateway would have it.
    """
    connection.execute(ALLOW, {"account": str(account_id), "members": list(members)})
    with connection.cursor(row_factory=psycopg.rows.tuple_row) as cursor:
        cursor.execute(
            "insert into conversations (user_id, contact_jid) values (%s, %s) returning id", (account_id, contact)
        )
        (conversation_id,) = cursor.fetchone() or (0,)
        people = [(conversation_id, account_id, "owner"), *((conversation_id, member, "client") for member in members)]
        cursor.executemany(
            "insert into conversation_participants (conversation_id, user_id, role) values (%s, %s, %s)", people
        )
    return int(conversation_id)


def make_key(
    connection: psycopg.Connection[Any],
    account_id: UUID,
    *,
    scopes: Sequence[str] = tuple(Scope),
    rate_limit: int | None = 100_000,
    send_rate_limit: int | None = 100_000,
    expires_at: datetime | None = None,
) -> str:
    """Create an API key, by default one that may do everything and that no limit stops; return its text."""
    key = key_text.mint("test")
    connection.execute(
        "insert into chat_api_keys (id, user_id, name, env, prefix, secret_hash, scopes, rate_limit, send_rate_limit,"
        " expires_at) values (%s, %s, 'test', 'test', %s, %s, %s, %s, %s, %s)",
        (key.id, account_id, key.prefix, key.sha256, list(scopes), rate_limit, send_rate_limit, expires_at),
    )
    return key.text


def append_message(connection: psycopg.Connection[Any], conversation_id: int, content: str = "hello") -> int:
    """Commit one message and its event as the gateway would; return the message's id."""
    event_id = uuid4()
    with connection.cursor(row_factory=psycopg.rows.tuple_row) as cursor:
        cursor.execute(
            """
            with conversation as (
                update conversations set last_seq = last_seq + 1 where id = %(conversation)s returning *
            ), message as (
                insert into chat_messages (conversation_id, seq, event_id, direction, content, status)
                select id, last_seq, %(event)s, 'outgoing', %(content)s, 'pending' from conversation
                returning *
            ), event as (
                insert into chat_events (event_id, account_id, conversation_id, seq, type, payload)
                select %(event)s, conversation.user_id, message.conversation_id, message.seq, 'message.new',
                    crossfade.message_payload(message, %(event)s, message.seq)
                from message, conversation
            )
            select id from message
            """,
            {"conversation": conversation_id, "event": event_id, "content": content},
        )
        (message_id,) = cursor.fetchone() or (0,)
    return int(message_id)


def make_webhook(
    connection: psycopg.Connection[Any],
    account_id: UUID,
    url: str,
    box: SecretBox,
    *,
    secrets: Sequence[str] = (),
    event_types: Sequence[str] = ("*",),
    headers: dict[str, str] | None = None,
    max_in_flight: int = 10,
    max_per_second: int | None = None,
    fifo: bool = False,
    compatibility_signature: bool = False,
) -> int:
    """Create an endpoint (no ping) with live secrets, by default one new one; return its id."""
    context = secrets_context(account_id)
    sealed_headers = box.seal(json.dumps(headers).encode(), context) if headers else None
    with connection.cursor(row_factory=psycopg.rows.tuple_row) as cursor:
        cursor.execute(
            "insert into chat_external_webhooks (account_id, url, event_types, headers_sealed, max_in_flight,"
            " max_per_second, fifo, compatibility_signature) values (%s, %s, %s, %s, %s, %s, %s, %s) returning id",
            (
                account_id,
                url,
                list(event_types),
                sealed_headers,
                max_in_flight,
                max_per_second,
                fifo,
                compatibility_signature,
            ),
        )
        (webhook_id,) = cursor.fetchone() or (0,)
        cursor.execute("insert into webhook_queues (webhook_id) values (%s)", (webhook_id,))
        for secret in secrets or [signing.new_secret()]:
            cursor.execute(
                "insert into webhook_secrets (webhook_id, sealed, hint) values (%s, %s, 'test')",
                (webhook_id, box.seal(signing.key_of(secret), context)),
            )
    return int(webhook_id)
