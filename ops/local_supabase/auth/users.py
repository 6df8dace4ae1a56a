"""Rows of auth.users and auth.identities. Takes the connection first; transactions belong to the caller."""

import uuid
from dataclasses import asdict, dataclass, field
from typing import Any

from psycopg import errors
from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

from ops.local_supabase.auth.errors import EMAIL_TAKEN, NOT_DELETED
from ops.local_supabase.database.connections import Connection
from realtime_bridge.shared.sql import AsyncQueries

_QUERIES = AsyncQueries(__file__)
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
        await _QUERIES.run(connection, "insert_user", **values)
    except errors.UniqueViolation:
        raise EMAIL_TAKEN from None
    if email is not None:
        data = {"sub": str(user_id), "email": email, "email_verified": True, "phone_verified": False, **metadata}
        await _QUERIES.run(connection, "put_identity", id=user_id, data=Jsonb(data))
    return user_id


async def find_credentials(connection: Connection, email: str) -> tuple[uuid.UUID, str | None] | None:
    """Return id and password hash of an e-mail's user."""
    return await _QUERIES.find_row(connection, "user_by_email", tuple_row, email=email)


async def find_user(connection: Connection, user_id: uuid.UUID) -> User | None:
    values = {"id": user_id, "wanted": "%", "limit": 1, "skip": 0}
    found: User | None = await _QUERIES.find_value(connection, "find_users", **values)
    return found


async def mark_signed_in(connection: Connection, user_id: uuid.UUID) -> None:
    await _QUERIES.run(connection, "mark_signed_in", id=user_id)


async def list_users(connection: Connection, page: int, per_page: int, wanted: str) -> tuple[list[User], int]:
    """Return a page of those in whose address or name something occurs, and how many they are."""
    pattern = f"%{wanted}%" if wanted else "%"
    counted: int = await _QUERIES.get_value(connection, "count_users", wanted=pattern)
    values = {"id": None, "wanted": pattern, "limit": per_page, "skip": (page - 1) * per_page}
    return await _QUERIES.list_values(connection, "find_users", **values), counted


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
    values = asdict(change) | {"metadata": Jsonb(change.metadata), "app_metadata": Jsonb(change.app_metadata)}
    try:
        await _QUERIES.run(connection, "update_user", id=user_id, **values)
    except errors.UniqueViolation:
        raise EMAIL_TAKEN from None
    if change.email is not None:
        data = Jsonb({"sub": str(user_id), "email": change.email})
        await _QUERIES.run(connection, "put_identity", id=user_id, data=data)


async def delete_user(connection: Connection, user_id: uuid.UUID) -> None:
    """Raises AuthError when rows of others refer to the user and do not go along."""
    try:
        await _QUERIES.run(connection, "delete_user", id=user_id)
    except errors.ForeignKeyViolation:
        raise NOT_DELETED from None


async def forget_user(connection: Connection, user_id: uuid.UUID) -> None:
    """Leave of a user a row that says nothing of whose it was."""
    await _QUERIES.run(connection, "forget_user", id=user_id)
    await _QUERIES.run(connection, "forget_identities", id=user_id)
