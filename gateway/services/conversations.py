"""Conversations of one account: each function is one transaction."""

from uuid import UUID, uuid4

from psycopg.errors import ForeignKeyViolation

from gateway.db import Connection, Database
from gateway.domain import ConversationFilter, ConversationPage, NewConversation, Position
from gateway.errors import FieldError, NotFound, ValidationFailed
from gateway.store import conversations as store

NO_SUCH = "There is no such conversation."
UNKNOWN_USER = "Send the id of an existing user."


def append_conversation(database: Database, account_id: UUID, new: NewConversation) -> tuple[int, str]:
    """Store a conversation with its participants and event; return its id and representation."""
    _check_repeats(account_id, new)
    with database.connection() as connection:
        _check_users(connection, new)
        try:
            return store.append_conversation(connection, account_id, uuid4(), new)
        except ForeignKeyViolation:  # a user who was deleted since the check
            raise ValidationFailed(
                FieldError(pointer="/participants", code="unknown_user", detail=UNKNOWN_USER)
            ) from None


def get_conversation(database: Database, account_id: UUID, conversation_id: int) -> str:
    with database.connection() as connection:
        representation = store.find_conversation(connection, account_id, conversation_id)
    if representation is None:
        raise NotFound(NO_SUCH)
    return representation


def list_conversations(
    database: Database,
    account_id: UUID,
    chosen: ConversationFilter,
    *,
    limit: int,
    after: Position | None = None,
    skip: int = 0,
) -> ConversationPage:
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


def _check_users(connection: Connection, new: NewConversation) -> None:
    named = [(f"/participants/{index}/userId", person.user_id) for index, person in enumerate(new.participants)]
    if new.assigned_agent_id is not None:
        named.append(("/assignedAgentId", new.assigned_agent_id))
    unknown = store.find_unknown_users(connection, [user_id for _, user_id in named]) if named else set()
    if unknown:
        raise ValidationFailed(
            *(
                FieldError(pointer=pointer, code="unknown_user", detail=UNKNOWN_USER)
                for pointer, user_id in named
                if user_id in unknown
            )
        )
