"""Authorization for private topics: may this caller receive or send?

Asked by running the policies on realtime.messages.

Nothing is decided here: probe rows are read and written under the caller's role and claims, then rolled back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import psycopg
from psycopg import errors

from ops.local_supabase.access.tokens import Claims
from ops.local_supabase.database.connections import Connection, DatabaseUnavailableError, Sessions
from realtime_bridge.shared.sql import AsyncQueries

_QUERIES = AsyncQueries(__file__)


class Extension(StrEnum):
    """The two things a policy can allow."""

    BROADCAST = "broadcast"
    PRESENCE = "presence"


class PolicyError(Exception):
    """A policy, or the role itself, failed: not a refusal, but nothing is allowed either."""


class PolicyTimeoutError(PolicyError):
    """A policy took longer than a statement may."""


class MissingPartitionError(Exception):
    """No partition of realtime.messages holds today."""


@dataclass(frozen=True, slots=True)
class Permissions:
    """Extensions that passed."""

    broadcast: bool = False
    presence: bool = False

    @classmethod
    def of(cls, extensions: Sequence[str]) -> "Permissions":
        return cls(broadcast=Extension.BROADCAST in extensions, presence=Extension.PRESENCE in extensions)


EVERYTHING = Permissions(broadcast=True, presence=True)


class Authorizer:
    """Runs the policies; every question is one transaction that ends in a rollback."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def readable(self, topic: str, claims: Claims, extensions: Sequence[Extension]) -> Permissions:
        """Which of `extensions` the SELECT policies let through. Raises PolicyError, MissingPartitionError."""
        async with self._sessions.borrow() as connection:
            try:
                values = {"topic": topic, "extensions": list(extensions)}
                ids = await _QUERIES.list_values(connection, "insert_probe", **values)
                await become(connection, topic, claims)
                return Permissions.of(await _QUERIES.list_values(connection, "readable_extensions", ids=ids))
            except psycopg.Error as error:
                raise _translate(error) from error

    async def writable(self, topic: str, claims: Claims, extensions: Sequence[Extension]) -> Permissions:
        """Which of `extensions` the INSERT policies let through. Raises PolicyError, MissingPartitionError."""
        async with self._sessions.borrow() as connection:
            try:
                await become(connection, topic, claims)
                passed = [extension for extension in extensions if await _may_write(connection, topic, extension)]
                return Permissions.of(passed)
            except psycopg.Error as error:
                raise _translate(error) from error


async def become(connection: Connection, topic: str, claims: Claims) -> None:
    """Take on the caller's role, claims and topic until the transaction ends."""
    values = {"topic": topic, "claims": claims.json, "subject": claims.subject or "", "role": claims.role}
    await _QUERIES.run(connection, "become_caller", **values)


async def _may_write(connection: Connection, topic: str, extension: Extension) -> bool:
    try:
        async with connection.transaction():
            await _QUERIES.run(connection, "try_write", topic=topic, extension=extension)
    except errors.InsufficientPrivilege:
        return False
    return True


def _translate(error: psycopg.Error) -> Exception:
    if isinstance(error, errors.CheckViolation) and "no partition" in str(error):
        return MissingPartitionError(str(error))
    if isinstance(error, errors.QueryCanceled):
        return PolicyTimeoutError(str(error))
    if isinstance(error, psycopg.OperationalError):
        return DatabaseUnavailableError(str(error))
    return PolicyError(str(error))
