"""Sessions and their refresh tokens, each used once. A child may be asked for again for a moment."""

import secrets
import uuid
from dataclasses import dataclass

from psycopg.rows import tuple_row

from ops.local_supabase.auth.errors import TOKEN_NOT_FOUND
from ops.local_supabase.database.connections import Connection
from realtime_bridge.shared.sql import AsyncQueries

REUSE_S = 10  # Supabase: within ten seconds a used token still gives its child, for tabs that raced

_QUERIES = AsyncQueries(__file__)
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A session of a user with the refresh token to give out; `reused` means that a stolen token was seen."""

    user_id: uuid.UUID
    session_id: uuid.UUID
    refresh_token: str
    reused: bool = False


async def open_session(connection: Connection, user_id: uuid.UUID) -> Grant:
    """Begin a session."""
    session_id = uuid.uuid4()
    await _QUERIES.run(connection, "insert_session", id=session_id, user_id=user_id)
    token = await _insert_token(connection, user_id, session_id, parent=None)
    return Grant(user_id=user_id, session_id=session_id, refresh_token=token)


async def rotate(connection: Connection, token: str) -> Grant:
    """Use a token up and give its successor; a token used long ago ends its session. Raises AuthError."""
    row = await _QUERIES.find_row(connection, "lock_token", tuple_row, token=token, reuse_s=REUSE_S)
    if row is None:
        raise TOKEN_NOT_FOUND
    user_id, session_id, revoked, stale = row
    if revoked:
        child = await _QUERIES.find_value(connection, "child_token", token=token)
        if stale or child is None:
            await _QUERIES.run(connection, "delete_session", id=session_id)
            return Grant(user_id=user_id, session_id=session_id, refresh_token="", reused=True)
        return Grant(user_id=user_id, session_id=session_id, refresh_token=child)
    await _QUERIES.run(connection, "revoke_token", token=token)
    successor = await _insert_token(connection, user_id, session_id, parent=token)
    return Grant(user_id=user_id, session_id=session_id, refresh_token=successor)


async def is_open(connection: Connection, session_id: uuid.UUID) -> bool:
    return await _QUERIES.find_value(connection, "session_exists", id=session_id) is not None


async def close_sessions(connection: Connection, user_id: uuid.UUID, session_id: uuid.UUID | None, scope: str) -> None:
    await _QUERIES.run(connection, "delete_sessions", user_id=user_id, session_id=session_id, scope=scope)


async def _insert_token(
    connection: Connection, user_id: uuid.UUID, session_id: uuid.UUID, *, parent: str | None
) -> str:
    token = "".join(secrets.choice(_ALPHABET) for _ in range(20))
    values = {"token": token, "user_id": user_id, "session_id": session_id, "parent": parent}
    await _QUERIES.run(connection, "insert_token", **values)
    return token
