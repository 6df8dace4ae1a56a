"""The queue of texts that channels have to send. Filled by the sink, emptied by the sender; a function is a statement.

A row that is taken is given back by itself after LEASE_S, and `attempts` is the fence: what a sender reports late about
a row that was taken again changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row

from realtime_bridge.event_log.event import Event
from realtime_bridge.shared import shares, sql
from realtime_bridge.wuzapi.channels import ORIGIN

_QUERIES = sql.AsyncQueries(__file__)
LEASE_S = 60.0  # three timeouts of the client: a crashed sender's messages wait no longer than this
KEEP_DAYS = 7  # much longer than a relay may have to go back in the log
FORGET_AT_MOST = 10_000  # a second of deleting, then the senders have their turn again
PER_CHANNEL = 4  # conversations served at once: WhatsApp dislikes bursts
Outcome = Literal["settle_sent", "settle_failed", "settle_cancelled", "put_back"]
SENDS = shares.room_for(200)  # under way at once, of a sender; one account alone, with fifty channels, has 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """A message that was taken, with what it needs to be sent. `recipient` is a JID, or what the contact is called."""

    message_id: int
    account_id: UUID
    channel_id: UUID
    base_url: str
    sealed_token: bytes
    recipient: str
    content: str
    message_type: str
    is_deleted: bool
    provider_message_id: str
    attempts: int
    created_at: datetime


async def append(connection: AsyncConnection[Any], events: Sequence[Event]) -> list[int]:
    """Queue the messages whose conversation belongs to a channel; return their ids. Again, it queues nothing twice."""
    values = {
        "message_ids": [event.payload["id"] for event in events],
        "conversation_ids": [event.conversation_id for event in events],
        "seqs": [event.seq for event in events],
        "event_ids": [event.event_id for event in events],
    }
    return await _QUERIES.list_values(connection, "append", **values)


async def claim(
    connection: AsyncConnection[Any], busy: Sequence[UUID], held: shares.Held, lease_s: float = LEASE_S
) -> list[Send]:
    """Take what is due: the oldest of each conversation, from channels that are not `busy`; one from a failing one.

    `held` says what this sender has under way; no account is given more than its share.
    """
    values = {
        "busy": list(busy),
        "limit": held.total - held.count,
        "accounts": list(held.by_owner),
        "account_slots": [held.more(account_id) for account_id in held.by_owner],
        "newcomer_slots": held.more(),
        "lease_s": lease_s,
        "per_channel": PER_CHANNEL,
    }
    return await _QUERIES.list_rows(connection, "claim", class_row(Send), **values)


async def settle(connection: AsyncConnection[Any], outcome: Outcome, send: Send, **values: object) -> None:
    """Say what became of a message; failed or put back, for which `reason`.

    Sent, the provider has it and the channel is well. Failed, it will never be sent, and metadata says why. Cancelled,
    it was deleted before, and nobody needs to be told. Put back, it is tried again after `wait_s`, and the channel not
    before `rest_s`.
    """
    await _QUERIES.run(
        connection,
        outcome,
        message_id=send.message_id,
        attempts=send.attempts,
        channel_id=send.channel_id,
        provider_message_id=send.provider_message_id,
        origin=ORIGIN,
        **values,
    )


async def forget_settled(connection: AsyncConnection[Any]) -> int:
    """Remove a batch of what was settled more than KEEP_DAYS ago; return how many."""
    return await _QUERIES.run(connection, "forget_settled", keep_days=KEEP_DAYS, at_most=FORGET_AT_MOST)
