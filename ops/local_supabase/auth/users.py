"""Rows of auth.users and auth.identities. Takes the connection first; transactions belong to the caller."""

import uuid
from dataclasses import dataclass, field
from typing import Any

from psycopg import errors
from psycopg.types.json import Jsonb

from ops.local_supabase.auth.errors import EMAIL_TAKEN, NOT_DELETED
from ops.local_supabase.database.connections import Connection
from realtime_bridge.shared.sql import Statements

_QUERIES = Statements(__file__)
User = dict[str, Any]  # as clients see it; shaped by users.sql


async def insert_user(
    connection: Connection, email: str | None, password: str | None, metadata: User, app_metadata: User | None = None
) -> uuid.UUID:
    """Add a confirmed user (anonymous without an e-mail); raises AuthError when the e-mail is taken."""
    user_id = uuid.uuid4()
    app_metadata = (app_metadata or {}) | ({"provider": "email", "providers": ["email"]} if email else {})
    values = {
        "id": user_id,
        "email": email,
        "password": password,
        "app_metadata": Jsonb(app_metadata),
        "user_metadata": Jsonb(metadata),
        "anonymous": email is None,
    }
    try:
        await connection.execute(_QUERIES["insert_user"], values)
    except errors.UniqueViolation:
        raise EMAIL_TAKEN from None
    if email is not None:
        data = {"sub": str(user_id), "email": email, "email_verified": True, "phone_verified": False, **metadata}
        await connection.execute(_QUERIES["put_identity"], {"id": user_id, "data": Jsonb(data)})
    return user_id


async def find_credentials(connection: Connection, email: str) -> tuple[uuid.UUID, str | None] | None:
    """Return id and password hash of an e-mail's user."""
    cursor = await connection.execute(_QUERIES["user_by_email"], {"email": email})
    row = await cursor.fetchone()
    return None if row is None else (row[0], row[1])


async def find_user(connection: Connection, user_id: uuid.UUID) -> User | None:
    found = await _find_users(connection, user_id, "%", 1, 0)
    return found[0] if found else None


async def mark_signed_in(connection: Connection, user_id: uuid.UUID) -> None:
    await connection.execute(_QUERIES["mark_signed_in"], {"id": user_id})


async def list_users(connection: Connection, page: int, per_page: int, wanted: str) -> tuple[list[User], int]:
    """Return a page of those in whose address or name something occurs, and how many they are."""
    pattern = f"%{wanted}%" if wanted else "%"
    counted = await (await connection.execute(_QUERIES["count_users"], {"wanted": pattern})).fetchone()
    found = await _find_users(connection, None, pattern, per_page, (page - 1) * per_page)
    return found, counted[0] if counted else 0


async def _find_users(
    connection: Connection, user_id: uuid.UUID | None, wanted: str, limit: int, skip: int
) -> list[User]:
    values = {"id": user_id, "wanted": wanted, "limit": limit, "skip": skip}
    return [dict(row[0]) for row in await (await connection.execute(_QUERIES["find_users"], values)).fetchall()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is None stays. Metadata is merged, and a null in it takes away what it names. `ban_s` of 0 ends a ban."""

    email: str | None = None
    password: str | None = None
    role: str | None = None
    metadata: User = field(default_factory=dict)
    app_metadata: User = field(default_factory=dict)
    ban_s: float | None = None


async def update_user(connection: Connection, user_id: uuid.UUID, change: Change) -> None:
    """Change what is given, and the address in the user's identity; raises AuthError when it is taken."""
    values = {
        "id": user_id,
        "email": change.email,
        "password": change.password,
        "role": change.role,
        "user_metadata": Jsonb(change.metadata),
        "app_metadata": Jsonb(change.app_metadata),
        "ban_s": change.ban_s,
    }
    try:
        await connection.execute(_QUERIES["update_user"], values)
    except errors.UniqueViolation:
        raise EMAIL_TAKEN from None
    if change.email is not None:
        data = Jsonb({"sub": str(user_id), "email": change.email})
        await connection.execute(_QUERIES["put_identity"], {"id": user_id, "data": data})


async def delete_user(connection: Connection, user_id: uuid.UUID) -> None:
    """Raises AuthError when rows of others refer to the user and do not go along."""
    try:
        await connection.execute(_QUERIES["delete_user"], {"id": user_id})
    except errors.ForeignKeyViolation:
        raise NOT_DELETED from None


async def forget_user(connection: Connection, user_id: uuid.UUID) -> None:
    """Leave of a user a row that says nothing of whose it was."""
    await connection.execute(_QUERIES["forget_user"], {"id": user_id})
    await connection.execute(_QUERIES["forget_identities"], {"id": user_id})
