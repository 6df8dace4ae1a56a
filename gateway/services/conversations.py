"""Conversations of one account. Each function is one transaction, row and event together."""

from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from psycopg.errors import ForeignKeyViolation

from gateway.database import Connection, Database
from gateway.domain.conversations import (
    UNSET,
    Assignment,
    ConversationFilter,
    ConversationPatch,
    ConversationState,
    ConversationStatus,
    NewConversation,
    conversation_etag,
)
from gateway.domain.pages import Page, Position
from gateway.domain.versions import IfMatch, Shown
from gateway.errors import FieldError, NotFound, ValidationFailed
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
        found = store.find_conversation(connection, account_id, conversation_id)
    if found is None:
        raise NotFound(NO_SUCH)
    return _shown(conversation_id, found)


def change_conversation(
    database: Database, account_id: UUID, conversation_id: int, patch: ConversationPatch, precondition: IfMatch
) -> Shown:
    """Store what the patch names and append `conversation.updated`; what changes nothing appends nothing."""
    with database.connection() as connection, connection.transaction():
        known = lock(connection, account_id, conversation_id)
        precondition.check(conversation_etag(conversation_id, known.last_seq))
        return append_difference(
            connection, account_id, conversation_id, known, _patched(known, patch), EventType.CONVERSATION_UPDATED
        )


def assign_conversation(
    database: Database,
    account_id: UUID,
    conversation_id: int,
    assignment: Assignment,
    precondition: IfMatch,
) -> Shown:
    """Store who is to answer and append `conversation.assigned`; the same again appends nothing."""
    with database.connection() as connection, connection.transaction():
        known = lock(connection, account_id, conversation_id)
        precondition.check(conversation_etag(conversation_id, known.last_seq))
        wanted = known
        if assignment.agent_id is not UNSET:
            wanted = replace(wanted, assigned_agent_id=assignment.agent_id)
        if assignment.bot_id is not UNSET:
            wanted = replace(wanted, assigned_bot_id=assignment.bot_id)
        agent_id = wanted.assigned_agent_id
        if agent_id is not None and agent_id != known.assigned_agent_id:
            check_users(connection, account_id, [("/agentId", agent_id)])
        return append_difference(
            connection, account_id, conversation_id, known, wanted, EventType.CONVERSATION_ASSIGNED
        )


def lock(connection: Connection, account_id: UUID, conversation_id: int, no_such: str = NO_SUCH) -> ConversationState:
    """Take the conversation's lock within the caller's transaction. Raises NotFound."""
    known = store.lock_conversation(connection, account_id, conversation_id)
    if known is None:
        raise NotFound(no_such)
    return known


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
        return _shown(conversation_id, store.append_update(connection, conversation_id, uuid4(), event_type, wanted))
    found = store.find_conversation(connection, account_id, conversation_id)
    assert found is not None  # noqa: S101 it is locked
    return _shown(conversation_id, found)


def _shown(conversation_id: int, found: store.ShownAt) -> Shown:
    return Shown(representation=found.representation, etag=conversation_etag(conversation_id, found.last_seq))


def _patched(known: ConversationState, patch: ConversationPatch) -> ConversationState:
    """Sleeping belongs to `snoozed`: another status ends it, and a time without that status is a mistake."""
    named = {name: value for name, value in asdict(patch).items() if value is not UNSET}
    wanted = replace(known, **named)
    if "snoozed_until" in named:
        _check_snooze(wanted)
    if wanted.status != ConversationStatus.SNOOZED:
        wanted = replace(wanted, snoozed_until=None)
    return wanted


def _check_snooze(wanted: ConversationState) -> None:
    if wanted.snoozed_until is None:
        return
    now = datetime.now(UTC)
    if wanted.status != ConversationStatus.SNOOZED:
        fault = FieldError(pointer="/snoozedUntil", code="conflicting", detail="Send it with the status snoozed.")
    elif not now < wanted.snoozed_until <= now + MAX_SNOOZE:
        detail = "Send a time within the next 366 days."
        fault = FieldError(pointer="/snoozedUntil", code="out_of_range", detail=detail)
    else:
        return
    raise ValidationFailed(fault)


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
    seen = {account_id}
    faults = []
    for index, person in enumerate(new.participants):
        if person.user_id in seen:
            detail = "Name each user once; the account's own user takes part as owner already."
            faults.append(FieldError(pointer=f"/participants/{index}/userId", code="duplicate", detail=detail))
        seen.add(person.user_id)
    if faults:
        raise ValidationFailed(*faults)


def _named(new: NewConversation) -> list[tuple[str, UUID]]:
    named = [(f"/participants/{index}/userId", person.user_id) for index, person in enumerate(new.participants)]
    if new.assigned_agent_id is not None:
        named.append(("/assignedAgentId", new.assigned_agent_id))
    return named
