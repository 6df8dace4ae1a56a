"""Authorization for private topics: may this caller receive or send?

Asked by running the policies on realtime.messages.

Nothing is decided here: probe rows are read and written under the caller's role and claims, then rolled back.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
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


@dataclass(eq=False)
class NotDecidedError(Exception):
    """A policy, the role or the database failed: not a refusal, but nothing is allowed either."""

    over_http: str
    at_join: str | None = None
    """Why a join is refused; None where it is decided as if nothing were allowed."""
    is_for_now: bool = False
    """Worth asking again."""


@dataclass(frozen=True, slots=True)
class Permissions:
    """Extensions that passed."""

    broadcast: bool = False
    presence: bool = False

    @classmethod
    def of(cls, extensions: Sequence[str]) -> "Permissions":
        return cls(broadcast=Extension.BROADCAST in extensions, presence=Extension.PRESENCE in extensions)


EVERYTHING = Permissions(broadcast=True, presence=True)


def _unreachable() -> NotDecidedError:
    return NotDecidedError(
        "Connecting to the project's database",
        "UnableToConnectToProject: Realtime was unable to connect to the database",
        is_for_now=True,
    )


class Authorizer:
    """Runs the policies; every question is one transaction that ends in a rollback."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def readable(self, topic: str, claims: Claims, extensions: Sequence[Extension]) -> Permissions:
        """Which of `extensions` the SELECT policies let through. Raises NotDecidedError."""
        async with self._asking() as connection:
            values = {"topic": topic, "extensions": list(extensions)}
            ids = await _QUERIES.list_values(connection, "insert_probe", **values)
            await become(connection, topic, claims)
            return Permissions.of(await _QUERIES.list_values(connection, "readable_extensions", ids=ids))

    async def writable(self, topic: str, claims: Claims, extensions: Sequence[Extension]) -> Permissions:
        """Which of `extensions` the INSERT policies let through. Raises NotDecidedError."""
        async with self._asking() as connection:
            await become(connection, topic, claims)
            return Permissions.of([one for one in extensions if await _may_write(connection, topic, one)])

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[Connection]:
        try:
            async with self._sessions.borrow() as connection:
                try:
                    yield connection
                except psycopg.Error as error:
                    raise _undecided(error) from error
        except DatabaseUnavailableError as error:
            raise _unreachable() from error


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


def _undecided(error: psycopg.Error) -> NotDecidedError:
    if isinstance(error, errors.CheckViolation) and "no partition" in str(error):
        return NotDecidedError("Partition for today is missing", "MissingPartition: Partition for today is missing")
    if isinstance(error, errors.QueryCanceled):
        return NotDecidedError("RLS policy error", "QueryCanceled: canceling statement due to statement timeout")
    return _unreachable() if isinstance(error, psycopg.OperationalError) else NotDecidedError("RLS policy error")
