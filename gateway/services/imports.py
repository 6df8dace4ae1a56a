"""History from elsewhere: up to 500 messages, with a result for each.

Silent by default: the messages take numbers *below* zero, counting down, so the numbers of events stay gapless and no
reader sees a gap that nothing fills. One `conversation.updated` with a lower `firstSeq` says that there is more.
Announced: each takes the next number and has its `message.new`, like a message that is sent.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

from gateway.database import Connection, Database
from gateway.domain.conversations import ConversationState
from gateway.domain.messages import Direction, ImportedMessage, MessageStatus
from gateway.errors import FieldError
from gateway.services.conversations import lock
from gateway.services.messages import OVERSIZED
from gateway.store import conversations
from gateway.store import imports as store
from realtime_bridge.event_log.event import EventType

OUTCOMES = ("imported", "duplicate", "invalid")


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """`status` is imported, duplicate (`id` is of the message that has the clientMessageId) or invalid."""

    index: int
    status: str
    id: int | None = None
    seq: int | None = None
    code: str | None = None
    pointer: str | None = None
    detail: str | None = None


def import_messages(
    database: Database, account_id: UUID, conversation_id: int, items: Sequence[ImportedMessage], *, announce: bool
) -> list[Imported]:
    """Store what can be stored, in one transaction; return a result for each item."""
    with database.connection() as connection, connection.transaction():
        known = lock(connection, account_id, conversation_id)
        results, accepted = _sort_out(connection, conversation_id, items)
        if not accepted:
            return results
        # What is older comes first, whatever the order in the request.
        ordered = sorted(accepted, key=lambda item: (item.created_at, item.index))
        first = known.last_seq + 1 if announce else known.first_seq - len(ordered)
        numbered = list(enumerate(ordered, start=first))
        wanted = _after(known, ordered)
        if announce:
            counted = replace(wanted, last_seq=known.last_seq + len(ordered), unread_count=_unread(known, ordered))
            updated_at = store.count_imported(connection, conversation_id, counted)
        else:
            updated_at = datetime.now(UTC)
        rows = store.import_messages(
            connection, account_id, conversation_id, numbered, updated_at=updated_at, announce=announce
        )
        if not announce:
            wanted = replace(wanted, first_seq=first)
            conversations.append_update(connection, conversation_id, uuid4(), EventType.CONVERSATION_UPDATED, wanted)
        results += [Imported(index=index, status="imported", id=id_, seq=seq) for index, id_, seq in rows]
        return sorted(results, key=lambda result: result.index)


def _sort_out(
    connection: Connection, conversation_id: int, items: Sequence[ImportedMessage]
) -> tuple[list[Imported], list[ImportedMessage]]:
    """Tell what is stored already, or replies to nothing, from what is to be stored."""
    rows = store.find_known(connection, conversation_id, items)
    oversized = store.find_oversized(connection, items)
    taken = {name: message_id for message_id, name in rows}
    targets = {message_id for message_id, _ in rows}
    seen: set[str] = set()
    results, accepted = [], []
    for place, item in enumerate(items):
        name = item.client_message_id
        if name is not None and (name in taken or name in seen):
            results.append(Imported(index=item.index, status="duplicate", id=taken.get(name)))
        elif item.reply_to_id is not None and item.reply_to_id not in targets:
            detail = "Send the id of a message of this conversation."
            fault = FieldError(pointer="/replyToId", code="unknown_message", detail=detail)
            results.append(invalid(item.index, fault))
        elif place in oversized:
            results.append(invalid(item.index, OVERSIZED))
        else:
            accepted.append(item)
            if name is not None:
                seen.add(name)
    return results, accepted


def invalid(index: int, fault: FieldError) -> Imported:
    return Imported(index=index, status="invalid", code=fault.code, pointer=fault.pointer, detail=fault.detail)


def _after(known: ConversationState, ordered: Sequence[ImportedMessage]) -> ConversationState:
    """The newest one shows in the list, unless a newer message does already."""
    newest = ordered[-1]
    if known.last_message_at is not None and newest.created_at < known.last_message_at:
        return known
    return replace(known, last_message_at=newest.created_at, last_message_preview=newest.preview)


def _unread(known: ConversationState, ordered: Sequence[ImportedMessage]) -> int:
    return known.unread_count + sum(
        item.direction is Direction.INCOMING and item.status is not MessageStatus.READ for item in ordered
    )
