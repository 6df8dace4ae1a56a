"""Participants of a conversation, and how far each has read. Each function is one transaction."""

from uuid import UUID, uuid4

from psycopg.errors import ForeignKeyViolation

from gateway.database import Connection, Database
from gateway.domain.conflicts import OwnerStays, TooManyParticipants
from gateway.domain.conversations import ConversationState, Participant, Role
from gateway.domain.versions import Shown
from gateway.errors import FieldError, ValidationFailed, there
from gateway.services.conversations import NO_SUCH, append_difference, lock
from gateway.services.users import check_users, unknown_user
from gateway.store import conversations, participants
from realtime_bridge.event_log.event import EventType

MAX_PARTICIPANTS = 101  # the owner and a hundred others, as when a conversation is created
NOT_HERE = "This user takes no part in a conversation of yours."


def list_participants(database: Database, account_id: UUID, conversation_id: int) -> tuple[str, ...]:
    """Return everybody's representation, the owner first."""
    with database.connection() as connection:
        there(conversations.find_conversation(connection, account_id, conversation_id), NO_SUCH)
        return tuple(person.representation for person in participants.list_participants(connection, conversation_id))


def put_participant(database: Database, account_id: UUID, conversation_id: int, user_id: UUID, role: Role) -> Shown:
    """Let a user in, or change a role, and append `conversation.updated`; the same again appends nothing."""
    with database.connection() as connection, connection.transaction():
        known = lock(connection, account_id, conversation_id)
        people = {person.user_id: person for person in participants.list_participants(connection, conversation_id)}
        if user_id == account_id:
            raise OwnerStays("Name another user; the account's own user takes part as owner already.")
        if user_id in people and people[user_id].role == role:
            return _unchanged(connection, account_id, conversation_id, known)
        if user_id not in people and len(people) >= MAX_PARTICIPANTS:
            raise TooManyParticipants(f"Remove somebody first; at most {MAX_PARTICIPANTS} take part.")
        if user_id not in people:
            check_users(connection, account_id, [("/userId", user_id)])
        try:
            with connection.transaction():
                participants.store_participant(connection, conversation_id, user_id, role)
        except ForeignKeyViolation:  # a user who was deleted since the check
            raise ValidationFailed(unknown_user("/userId")) from None
        return _append(connection, conversation_id, known)


def remove_participant(database: Database, account_id: UUID, conversation_id: int, user_id: UUID) -> Shown:
    """Let a user take part no longer and append `conversation.updated`, which that user is not sent any more."""
    with database.connection() as connection, connection.transaction():
        known = lock(connection, account_id, conversation_id)
        if _find(connection, conversation_id, user_id).role == "owner":
            raise OwnerStays("Leave the owner in; the conversation is the owner's.")
        participants.remove_participant(connection, conversation_id, user_id)
        return _append(connection, conversation_id, known)


def mark_read(database: Database, account_id: UUID, conversation_id: int, user_id: UUID, seq: int) -> Shown:
    """Note that a participant has read up to a seq. It never goes back.

    What anybody but a client has read is read for the account: `readSeq` and `unreadCount` follow.
    """
    with database.connection() as connection, connection.transaction():
        known = lock(connection, account_id, conversation_id)
        _find(connection, conversation_id, user_id)
        if seq > known.last_seq:
            detail = f"Send at most {known.last_seq}, the newest there is."
            raise ValidationFailed(FieldError(pointer="/seq", code="out_of_range", detail=detail))
        participants.mark_read(connection, conversation_id, user_id, seq)
        return _unchanged(connection, account_id, conversation_id, known)


def check_participant(database: Database, account_id: UUID, conversation_id: int, user_id: UUID) -> None:
    """Raise NotFound unless the user takes part in a conversation of the account."""
    with database.connection() as connection:
        there(conversations.find_conversation(connection, account_id, conversation_id), NO_SUCH)
        _find(connection, conversation_id, user_id)


def _find(connection: Connection, conversation_id: int, user_id: UUID) -> Participant:
    people = participants.list_participants(connection, conversation_id)
    return there(next((person for person in people if person.user_id == user_id), None), NOT_HERE)


def _append(connection: Connection, conversation_id: int, wanted: ConversationState) -> Shown:
    return conversations.append_update(
        connection, conversation_id, uuid4(), EventType.CONVERSATION_UPDATED, wanted, with_participants=True
    )


def _unchanged(connection: Connection, account_id: UUID, conversation_id: int, known: ConversationState) -> Shown:
    return append_difference(connection, account_id, conversation_id, known, known, EventType.CONVERSATION_UPDATED)
