"""Operators of the dial: a name and a key each. The key is shown once and stored as a hash.

Asked by `changes` and the CLI.

As long as there is none, whoever has the database says who he is, and that is that. From the first one on every change
but a rollback needs a key. Two keys may be one person's, who has seen both when he added the other: so operators form
lines, each begun by one of the first two, and who agrees is of another line than who asked. It keeps honest people
apart: who may write to the database can write himself a key, and the audit shows when he did.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import class_row, dict_row

from realtime_bridge.rollout.dial.errors import OperatorRefused
from realtime_bridge.shared import sql

_QUERIES = sql.AsyncQueries(__file__)
Connection = AsyncConnection[Any]
PREFIX = "cfop"
VARIABLE = "CROSSFADE_OPERATOR_KEY"
NEEDED = 2  # lines: who asks and who agrees
MAX_NAME_CHARS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    name: str
    key_id: str
    created_by: str
    created_at: datetime
    revoked_by: str | None
    revoked_at: datetime | None
    line_of: str
    line: int
    """The row of who began it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """Who acts; `key_id` None: he says so, and nobody has proved it."""

    actor: str
    key_id: str | None = None


async def list_all(connection: Connection) -> list[Operator]:
    """Return those who have a key, and after them those whose key was revoked."""
    return await _QUERIES.list_rows(connection, "list", class_row(Operator))


async def lines(connection: Connection) -> dict[str, int]:
    """Return the line of each key that works."""
    return {one.key_id: one.line for one in await list_all(connection) if not one.revoked_at}


def can_agree(lines: Mapping[str, int]) -> bool:
    """Whether there is a second one for whoever asks."""
    return len(set(lines.values())) >= NEEDED


def too_few(lines: Mapping[str, int]) -> str:
    """Say why nobody can agree, and what to do."""
    if not lines:
        return (
            "nobody has one: crossfade operators add NAME, twice (after crossfade rollout approve --off if that is on)"
        )
    who = "one operator has one" if len(lines) == 1 else "all who have one were added by one person"
    return (
        f"{who}: crossfade operators add NAME; where changes wait for a second one, end all keys with "
        "crossfade operators revoke NAME --without-key and begin anew"
    )


async def identify(connection: Connection, key: str) -> Who:
    """Return whose key this is. Raises OperatorRefused."""
    prefix, _, rest = key.strip().partition("_")
    key_id, _, secret = rest.partition("_")
    row = await _QUERIES.find_row(connection, "find", dict_row, key_id=key_id) if prefix == PREFIX and secret else None
    if row is None or not hmac.compare_digest(row["key_hash"], _hash(secret)):
        raise OperatorRefused(
            f"{VARIABLE} is no operator's key, or was revoked: crossfade operators list shows who is."
        )
    return Who(actor=row["name"], key_id=key_id)


def check_name(name: str) -> None:
    """Raise OperatorRefused for a name that cannot be."""
    if not name.strip() or len(name) > MAX_NAME_CHARS or not name.isprintable():
        raise OperatorRefused(f"An operator's name has 1 to {MAX_NAME_CHARS} characters that can be seen.")


async def add(connection: Connection, name: str, *, by: str, shown_to: str | None) -> str:
    """Return the new operator's key, which exists nowhere else. Raises OperatorRefused.

    `shown_to` is the key of who is shown it, whose line it continues; None begins one.
    """
    check_name(name)
    key_id, secret = secrets.token_hex(4), secrets.token_hex(20)
    values = {"name": name.strip(), "key_id": key_id, "key_hash": _hash(secret), "by": by, "shown_to": shown_to}
    if await _QUERIES.find_row(connection, "add", dict_row, **values) is None:
        raise OperatorRefused(f"There is an operator {name} already; revoke the key first to give out a new one.")
    return f"{PREFIX}_{key_id}_{secret}"


async def revoke(connection: Connection, name: str, *, by: Who) -> str:
    """End an operator's key; return its id. Raises OperatorRefused."""
    row = await _QUERIES.find_row(connection, "revoke", dict_row, name=name, by=by.actor)
    if row is None:
        raise OperatorRefused(f"There is no operator {name!r}; crossfade operators list shows who is.")
    return str(row["key_id"])


def id_of(key: str) -> str:
    """Return the part of a key that may be shown."""
    return key.split("_")[1]


def _hash(secret: str) -> bytes:
    """A random secret of 160 bits needs no slow hash: nobody can try them all."""
    return hashlib.sha256(secret.encode()).digest()
