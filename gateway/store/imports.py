"""Many rows of `chat_messages` at once, under their conversation's lock. Called by services/imports.py."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from psycopg.rows import tuple_row

from gateway.database import Connection
from gateway.domain.conversations import ConversationState
from gateway.domain.messages import ImportedMessage
from realtime_bridge.shared import sql

_SQL = sql.Queries(__file__)


def find_known(
    connection: Connection, conversation_id: int, items: Sequence[ImportedMessage]
) -> list[tuple[int, str | None]]:
    """Return id and clientMessageId of what has one of the items' clientMessageIds, or what an item replies to."""
    values = {
        "conversation_id": conversation_id,
        "client_message_ids": [item.client_message_id for item in items if item.client_message_id is not None],
        "reply_to_ids": [item.reply_to_id for item in items if item.reply_to_id is not None],
    }
    return _SQL.list_rows(connection, "find_known", tuple_row, **values)


def find_oversized(connection: Connection, items: Sequence[ImportedMessage]) -> set[int]:
    """Return the places of the items whose metadata is larger than a message's may be."""
    metadata = f"[{','.join(item.metadata for item in items)}]"
    return set(_SQL.list_values(connection, "find_oversized", metadata=metadata))


def import_messages(
    connection: Connection,
    account_id: UUID,
    conversation_id: int,
    numbered: Sequence[tuple[int, ImportedMessage]],
    *,
    updated_at: datetime,
    announce: bool,
) -> list[tuple[int, int, int]]:
    """Store the items under their seqs, with an event for each if announced; return index, id and seq of each."""
    rows = [
        item.named() | {"seq": seq, "metadata": json.loads(item.metadata), "created_at": item.created_at.isoformat()}
        for seq, item in numbered
    ]
    values = {
        "account_id": account_id,
        "conversation_id": conversation_id,
        "items": json.dumps(rows),
        "updated_at": updated_at,
        "announce": announce,
    }
    return _SQL.list_rows(connection, "import_messages", tuple_row, **values)


def count_imported(connection: Connection, conversation_id: int, wanted: ConversationState) -> datetime:
    """Store the numbers that announced messages take; return the conversation's time of change."""
    values = asdict(wanted) | {"conversation_id": conversation_id}
    updated_at: datetime = _SQL.get_value(connection, "count_imported", **values)
    return updated_at
