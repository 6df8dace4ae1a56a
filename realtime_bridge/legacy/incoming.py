"""Legacy clients' writes, done as REST does them. One statement, row and event together. Called by the handlers.

Only a participant writes, and always as the signed-in user. A client's message is `incoming`, everybody else's
`outgoing`, as over REST. A resend with the same clientMessageId is answered what the first one was.
"""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import dict_row, tuple_row

from realtime_bridge.event_log.append import APPEND_MESSAGE, NewMessage
from realtime_bridge.legacy.conversations import Turns
from realtime_bridge.shared import sql
from realtime_bridge.shared.database import Pool
from realtime_bridge.shared.tokens import Claims

_QUERIES = sql.AsyncQueries(__file__)
CLIENT = "client"


class Mistake(Exception):
    """The client asked for something it cannot have; `code` is for its program, the text for its author."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def not_found() -> Mistake:
    """The one answer for an unknown conversation and for somebody else's."""
    return Mistake("not_found", "There is no such conversation.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A message as a legacy client sends it."""

    conversation_id: int
    content: str
    message_type: str
    client_message_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What the sender is told: from here on it is a promise."""

    id: int
    seq: int
    event_id: str


class StoredIncoming:
    """Writes to Postgres. Raises Mistake for what the client may not, and ConversationsUnavailable."""

    def __init__(self, pool: Pool) -> None:
        self._turns = Turns(pool)  # by user: one that floods its own socket waits for itself

    async def append_message(self, claims: Claims, written: Written) -> Receipt:
        async with self._turns.connection(claims.user_id) as connection:
            return await _append(connection, claims, written)

    async def mark_read(self, claims: Claims, conversation_id: int, seq: int) -> None:
        values = {
            "conversation_id": conversation_id,
            "user_id": claims.user_id,
            "seq": seq,
            "issued_at": claims.issued_at,
        }
        async with self._turns.connection(claims.user_id) as connection:
            has_changed = await _QUERIES.find_value(connection, "mark_read", **values)
        if has_changed is None:
            raise not_found()


async def _append(connection: AsyncConnection[Any], claims: Claims, written: Written) -> Receipt:
    user_id = claims.user_id
    asked = {"conversation_id": written.conversation_id, "user_id": user_id, "issued_at": claims.issued_at}
    member = await _QUERIES.find_row(connection, "find_member", dict_row, **asked)
    if member is None:
        raise not_found()
    new = NewMessage(
        content=written.content,
        direction="incoming" if member["role"] == CLIENT else "outgoing",
        message_type=written.message_type,
        client_message_id=written.client_message_id,
        sender_id=str(user_id),
    )
    values = new.values(member["account_id"], written.conversation_id, uuid4())
    try:
        row = await (await connection.cursor(row_factory=tuple_row).execute(APPEND_MESSAGE, values)).fetchone()
    except psycopg.errors.UniqueViolation:
        return await _first_receipt(connection, user_id, written)
    if row is None:
        raise not_found()
    said = json.loads(row[1])
    return Receipt(id=said["id"], seq=said["seq"], event_id=said["eventId"])


async def _first_receipt(connection: AsyncConnection[Any], user_id: UUID, written: Written) -> Receipt:
    first = await _QUERIES.find_row(
        connection,
        "find_first",
        dict_row,
        conversation_id=written.conversation_id,
        client_message_id=written.client_message_id,
        content=written.content,
        sender_id=str(user_id),
        message_type=written.message_type,
    )
    if first is None:
        raise not_found()  # deleted between the two statements
    if not first["same"]:
        raise Mistake("client_message_id_reused", "Use a new clientMessageId for a new message.")
    return Receipt(id=first["id"], seq=first["seq"], event_id=str(first["event_id"]))
