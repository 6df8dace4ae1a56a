"""Operations of the Auth API, a transaction each. Each answers with what the client gets."""

import time
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import jwt

from ops.local_supabase.auth import passwords, refresh_tokens, users
from ops.local_supabase.auth.errors import (
    BANNED,
    EMAIL_EXISTS,
    INVALID_CREDENTIALS,
    NO_SESSION,
    NO_SUCH_USER,
    NO_USER,
    NOT_UPDATED,
    TOKEN_USED,
    AuthError,
)
from ops.local_supabase.auth.refresh_tokens import Grant
from ops.local_supabase.auth.users import Change, User
from ops.local_supabase.database.connections import Connection, Sessions

ACCESS_TTL_S = 3600  # Supabase's default
NEVER = "0001-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a bearer token speaks for."""

    user_id: uuid.UUID
    session_id: uuid.UUID | None


class AuthService:
    """Signs up, in and out. Every user is confirmed at once: a local stack sends no e-mail."""

    def __init__(self, sessions: Sessions, secret: str) -> None:
        self._sessions = sessions
        self._secret = secret

    async def sign_up(self, email: str | None, password: str | None, metadata: User, issuer: str) -> dict[str, Any]:
        """Create a user, anonymous without e-mail, and sign in. Raises AuthError."""
        hashed = await passwords.hash_password(None if email is None else password or "")
        async with self._sessions.transaction() as connection:
            user_id = await users.insert_user(connection, email, hashed, metadata)
            grant = await refresh_tokens.open_session(connection, user_id)
            method = "anonymous" if email is None else "password"
            return await self._session(connection, grant, issuer, method)

    async def sign_in(self, email: str, password: str, issuer: str) -> dict[str, Any]:
        """Check a password and begin a session. Raises AuthError."""
        async with self._sessions.transaction() as connection:
            found = await users.find_credentials(connection, email)
        if not await passwords.matches(password, found[1] if found else None) or found is None:
            raise INVALID_CREDENTIALS
        async with self._sessions.transaction() as connection:
            await users.mark_signed_in(connection, found[0])
            grant = await refresh_tokens.open_session(connection, found[0])
            return await self._session(connection, grant, issuer, "password")

    async def create_user(self, email: str, password: str | None, metadata: User, app_metadata: User) -> User:
        """Create a user for an administrator; nobody is signed in. Raises AuthError."""
        hashed = await passwords.hash_password(password)
        async with self._sessions.transaction() as connection:
            try:
                user_id = await users.insert_user(connection, email, hashed, metadata, app_metadata)
            except AuthError:
                raise EMAIL_EXISTS from None
            return await self._shown(connection, user_id)

    async def show_user(self, user_id: uuid.UUID) -> User:
        """Return anybody's user, for an administrator. Raises AuthError."""
        async with self._sessions.transaction() as connection:
            return await self._shown(connection, user_id)

    async def list_users(self, page: int, per_page: int, wanted: str) -> tuple[list[User], int]:
        """Return a page of the users, the newest first, and how many there are; `wanted` occurs in address or name."""
        async with self._sessions.transaction() as connection:
            return await users.list_users(connection, page, per_page, wanted)

    async def change_user(self, user_id: uuid.UUID, change: Change) -> User:
        """Change what is given, for an administrator; a new password ends all sessions. Raises AuthError."""
        change = replace(change, password=await passwords.hash_password(change.password))
        async with self._sessions.transaction() as connection:
            await self._shown(connection, user_id)
            try:
                await users.update_user(connection, user_id, change)
            except AuthError:
                raise NOT_UPDATED from None
            if change.password:
                await refresh_tokens.close_sessions(connection, user_id, None, "global")
            return await self._shown(connection, user_id)

    async def delete_user(self, user_id: uuid.UUID, *, is_soft: bool) -> None:
        """Remove a user and all of its own; softly, a row without anything personal stays. Raises AuthError."""
        async with self._sessions.transaction() as connection:
            user = await self._shown(connection, user_id)
            if not is_soft:
                await users.delete_user(connection, user_id)
            elif "deleted_at" not in user:
                await users.forget_user(connection, user_id)
                await refresh_tokens.close_sessions(connection, user_id, None, "global")

    async def _shown(self, connection: Connection, user_id: uuid.UUID) -> User:
        user = await users.find_user(connection, user_id)
        if user is None:
            raise NO_SUCH_USER
        return user

    async def refresh(self, token: str, issuer: str) -> dict[str, Any]:
        """Give a new access token for a refresh token. Raises AuthError; reuse ends the session for good."""
        async with self._sessions.transaction() as connection:
            grant = await refresh_tokens.rotate(connection, token)
            session = None if grant.reused else await self._session(connection, grant, issuer, "token_refresh")
        if session is None:
            raise TOKEN_USED
        return session

    async def get_user(self, caller: Caller) -> User:
        """Return the caller's user. Raises AuthError when it, or its session, is gone."""
        async with self._sessions.transaction() as connection:
            return await self._user(connection, caller)

    async def update_user(self, caller: Caller, change: Change) -> User:
        """Change the caller's user. Raises AuthError."""
        change = replace(change, password=await passwords.hash_password(change.password))
        async with self._sessions.transaction() as connection:
            await self._user(connection, caller)
            await users.update_user(connection, caller.user_id, change)
            return await self._user(connection, caller)

    async def sign_out(self, caller: Caller, scope: str) -> None:
        async with self._sessions.transaction() as connection:
            await refresh_tokens.close_sessions(connection, caller.user_id, caller.session_id, scope)

    async def _user(self, connection: Connection, caller: Caller) -> User:
        if caller.session_id is not None and not await refresh_tokens.is_open(connection, caller.session_id):
            raise NO_SESSION
        user = await users.find_user(connection, caller.user_id)
        if user is None:
            raise NO_USER
        return user

    async def _session(self, connection: Connection, grant: Grant, issuer: str, method: str) -> dict[str, Any]:
        user = await users.find_user(connection, grant.user_id)
        if user is None:
            raise NO_USER
        if datetime.fromisoformat(user.get("banned_until", NEVER)) > datetime.now(UTC):
            raise BANNED
        now = int(time.time())
        claims = {
            "iss": issuer,
            "sub": user["id"],
            "aud": user["aud"],
            "exp": now + ACCESS_TTL_S,
            "iat": now,
            "email": user["email"],
            "phone": user["phone"],
            "app_metadata": user["app_metadata"],
            "user_metadata": user["user_metadata"],
            "role": user["role"],
            "aal": "aal1",
            "amr": [{"method": method, "timestamp": now}],
            "session_id": str(grant.session_id),
            "is_anonymous": user["is_anonymous"],
        }
        return {
            "access_token": jwt.encode(claims, self._secret, algorithm="HS256"),
            "token_type": "bearer",
            "expires_in": ACCESS_TTL_S,
            "expires_at": now + ACCESS_TTL_S,
            "refresh_token": grant.refresh_token,
            "user": user,
        }
