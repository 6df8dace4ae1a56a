"""Rows of auth.users and auth.identities. Takes the connection first; transactions belong to the caller."""

import uuid
from typing import Any

from psycopg import errors
from psycopg.types.json import Jsonb

from ops.local_supabase.auth.errors import EMAIL_TAKEN
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
        await connection.execute(_QUERIES["insert_identity"], {"id": user_id, "data": Jsonb(data)})
    return user_id


async def find_credentials(connection: Connection, email: str) -> tuple[uuid.UUID, str | None] | None:
    """Return id and password hash of an e-mail's user."""
    cursor = await connection.execute(_QUERIES["user_by_email"], {"email": email})
    row = await cursor.fetchone()
    return None if row is None else (row[0], row[1])


async def find_user(connection: Connection, user_id: uuid.UUID) -> User | None:
    cursor = await connection.execute(_QUERIES["user_by_id"], {"id": user_id})
    row = await cursor.fetchone()
    return None if row is None else dict(row[0])


async def mark_signed_in(connection: Connection, user_id: uuid.UUID) -> None:
    await connection.execute(_QUERIES["mark_signed_in"], {"id": user_id})


async def update_user(
    connection: Connection, user_id: uuid.UUID, *, email: str | None, password: str | None, metadata: User
) -> None:
    """Change what is given; raises AuthError when the new e-mail is taken."""
    values = {"id": user_id, "email": email, "password": password, "user_metadata": Jsonb(metadata)}
    try:
        await connection.execute(_QUERIES["update_user"], values)
    except errors.UniqueViolation:
        raise EMAIL_TAKEN from None
