"""Rows of a channel's contacts and messages. Called by wuzapi/service.py, which owns the transactions."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from psycopg.rows import class_row, tuple_row

from gateway.database import Connection
from gateway.domain.messages import MessageStatus
from gateway.wuzapi.arrivals import Inbound, Receipt
from gateway.wuzapi.events import PHONE
from realtime_bridge.event_log.append import APPEND_MESSAGE, NewMessage
from realtime_bridge.shared import sql
from realtime_bridge.wuzapi.channels import ORIGIN

_SQL = sql.Queries(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    id: UUID
    account_id: UUID
    name: str
    provider_user_id: str | None
    sealed_hmac_key: bytes = field(repr=False)


def find_channel(connection: Connection, channel_id: UUID) -> Channel | None:
    """Return the channel unless it is unknown or switched off."""
    return _SQL.find_row(connection, "find_channel", class_row(Channel), channel_id=channel_id)


def is_known(connection: Connection, channel_id: UUID, provider_message_id: str) -> bool:
    return _SQL.run(connection, "is_known", channel_id=channel_id, provider_message_id=provider_message_id) > 0


def find_conversation(connection: Connection, channel_id: UUID, jids: Sequence[str]) -> int | None:
    return _SQL.find_value(connection, "find_conversation", channel_id=channel_id, jids=list(jids))


def lock_channel(connection: Connection, channel_id: UUID) -> None:
    """Let nobody else make a conversation of this channel until the transaction ends."""
    _SQL.run(connection, "lock_channel", channel_id=channel_id)


def find_named_conversation(connection: Connection, channel: Channel, jids: Sequence[str]) -> int | None:
    """Return a conversation that was made for one of these contacts, under any spelling of a phone number."""
    phones = [jid.removesuffix(PHONE) for jid in jids if jid.endswith(PHONE)]
    spellings = [*jids, *phones, *(f"+{phone}" for phone in phones)]
    values = {"account_id": channel.account_id, "channel": channel.name, "spellings": spellings}
    return _SQL.find_value(connection, "find_named_conversation", **values)


def link_contacts(connection: Connection, channel_id: UUID, conversation_id: int, jids: Sequence[str]) -> None:
    """Let these addresses lead to the conversation; one that leads elsewhere already is left alone."""
    _SQL.run(connection, "link_contacts", channel_id=channel_id, conversation_id=conversation_id, jids=list(jids))


def remember(connection: Connection, channel_id: UUID, conversation_id: int, provider_message_id: str) -> bool:
    """Note a message's id before it is stored; False when it was noted before."""
    known = {"channel_id": channel_id, "provider_message_id": provider_message_id}
    return _SQL.run(connection, "remember", **known, conversation_id=conversation_id) > 0


def append_message(connection: Connection, channel: Channel, conversation_id: int, inbound: Inbound, part: int) -> None:
    """Store one part of a message with its event; where it came from keeps the sink from sending it back."""
    details: dict[str, object] = dict(inbound.details)
    if len(inbound.parts) > 1:
        details |= {"part": part + 1, "parts": len(inbound.parts)}
    known = {"channel_id": channel.id, "provider_message_id": inbound.provider_message_id}
    quoted = {"channel_id": channel.id, "conversation_id": conversation_id, "quoted_id": inbound.quoted_id}
    new = NewMessage(
        content=inbound.parts[part],
        direction=inbound.direction,
        message_type=inbound.message_type,
        sender_id=inbound.sender,
        reply_to_id=_SQL.find_value(connection, "find_quoted", **quoted) if inbound.quoted_id else None,
        metadata=json.dumps({"wuzapi": details}),
    )
    values = new.values(
        channel.account_id,
        conversation_id,
        uuid4(),
        status_sent=MessageStatus.SENT.value,
        provider_message_id=inbound.provider_message_id,
        origin=ORIGIN,
    )
    row = connection.cursor(row_factory=tuple_row).execute(APPEND_MESSAGE, values).fetchone()
    if row is not None:  # else the conversation is gone
        _SQL.run(connection, "name_message", message_id=row[0], **known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    conversation_id: int
    id: int
    direction: str
    sender_id: str | None


def find_targets(connection: Connection, channel_id: UUID, target_id: str) -> list[Target]:
    """Return the parts of the message that the provider calls so, in order; none when it is unknown or deleted."""
    return _SQL.list_rows(connection, "find_targets", class_row(Target), channel_id=channel_id, target_id=target_id)


def append_statuses(connection: Connection, channel_id: UUID, receipt: Receipt) -> tuple[int, set[int]]:
    """Move the statuses that a receipt is about; return how many moved, and the conversations it named."""
    values = {
        "channel_id": channel_id,
        "message_ids": list(receipt.message_ids),
        "status": receipt.status.value,
        "direction": receipt.direction.value,
        "origin": ORIGIN,
    }
    rows = _SQL.list_rows(connection, "append_statuses", tuple_row, **values)
    return sum(moved for _, moved in rows), {conversation_id for conversation_id, _ in rows}
