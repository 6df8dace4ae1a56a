"""Conversations of one account. Each function is one transaction, row and event together."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from psycopg.errors import ForeignKeyViolation

from gateway.database import Connection, Database
from gateway.domain.conversations import (
    ConversationFilter,
    ConversationState,
    ConversationStatus,
    NewConversation,
    conversation_etag,
)
from gateway.domain.pages import Page, Position
from gateway.domain.versions import IfMatch, Shown
from gateway.errors import FieldError, ValidationFailed, there
from gateway.services.users import check_users, unknown_user
from gateway.store import conversations as store
from realtime_bridge.event_log.event import EventType

NO_SUCH = "There is no such conversation."
MAX_SNOOZE = timedelta(days=366)  # longer is a typing error, or `resolved`


def append_conversation(database: Database, account_id: UUID, new: NewConversation) -> tuple[int, str]:
    """Store a conversation with its participants and event; return its id and representation."""
    _check_repeats(account_id, new)
    with database.connection() as connection:
        check_users(connection, account_id, _named(new))
        try:
            return store.append_conversation(connection, account_id, uuid4(), new)
        except ForeignKeyViolation:  # a user who was deleted since the check
            raise ValidationFailed(unknown_user("/participants")) from None


def get_conversation(database: Database, account_id: UUID, conversation_id: int) -> Shown:
    with database.connection() as connection:
        return there(store.find_conversation(connection, account_id, conversation_id), NO_SUCH)


def change_conversation(
    database: Database,
    account_id: UUID,
    conversation_id: int,
    changes: Mapping[str, Any],
    precondition: IfMatch,
    event_type: EventType = EventType.CONVERSATION_UPDATED,
) -> Shown:
    """Store the fields that are named and append the event; what changes nothing appends nothing."""
    with database.connection() as connection, connection.transaction():
        known = lock(connection, account_id, conversation_id)
        precondition.check(conversation_etag(conversation_id, known.last_seq))
        wanted = _patched(known, changes)
        agent_id = wanted.assigned_agent_id
        if agent_id is not None and agent_id != known.assigned_agent_id:
            check_users(connection, account_id, [("/agentId", agent_id)])
        return append_difference(connection, account_id, conversation_id, known, wanted, event_type)


def lock(connection: Connection, account_id: UUID, conversation_id: int, no_such: str = NO_SUCH) -> ConversationState:
    """Take the conversation's lock within the caller's transaction. Raises NotFound."""
    return there(store.lock_conversation(connection, account_id, conversation_id), no_such)


def append_difference(
    connection: Connection,
    account_id: UUID,
    conversation_id: int,
    known: ConversationState,
    wanted: ConversationState,
    event_type: EventType,
) -> Shown:
    """Append an event if there is a difference; show the conversation as it is now."""
    if wanted != known:
        return store.append_update(connection, conversation_id, uuid4(), event_type, wanted)
    return there(store.find_conversation(connection, account_id, conversation_id), NO_SUCH)


def _patched(known: ConversationState, changes: Mapping[str, Any]) -> ConversationState:
    """Sleeping belongs to `snoozed`: another status ends it, and a time without that status is a mistake."""
    wanted = replace(known, **changes)
    is_asleep, until, now = wanted.status == ConversationStatus.SNOOZED, changes.get("snoozed_until"), datetime.now(UTC)
    if until is not None and not is_asleep:
        detail = "Send it with the status snoozed."
        raise ValidationFailed(FieldError(pointer="/snoozedUntil", code="conflicting", detail=detail))
    if until is not None and not now < until <= now + MAX_SNOOZE:
        detail = "Send a time within the next 366 days."
        raise ValidationFailed(FieldError(pointer="/snoozedUntil", code="out_of_range", detail=detail))
    return wanted if is_asleep else replace(wanted, snoozed_until=None)


def list_conversations(
    database: Database,
    account_id: UUID,
    chosen: ConversationFilter,
    *,
    limit: int,
    after: Position | None = None,
    skip: int = 0,
) -> Page:
    with database.connection() as connection:
        return store.list_conversations(connection, account_id, chosen, limit=limit, after=after, skip=skip)


def _check_repeats(account_id: UUID, new: NewConversation) -> None:
    people = [account_id, *(person.user_id for person in new.participants)]
    repeated = [place for place, user_id in enumerate(people) if user_id in people[:place]]
    if repeated:
        detail = "Name each user once; the account's own user takes part as owner already."
        pointers = [f"/participants/{place - 1}/userId" for place in repeated]
        raise ValidationFailed(*(FieldError(pointer=one, code="duplicate", detail=detail) for one in pointers))


def _named(new: NewConversation) -> list[tuple[str, UUID]]:
    named = [(f"/participants/{index}/userId", person.user_id) for index, person in enumerate(new.participants)]
    if new.assigned_agent_id is not None:
        named.append(("/assignedAgentId", new.assigned_agent_id))
    return named
