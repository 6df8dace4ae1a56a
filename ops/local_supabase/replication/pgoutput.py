"""Messages of pgoutput, protocol 1, decoded (PostgreSQL's documentation, section 55.9)."""

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


class Unchanged:
    """A TOASTed value the update did not touch: the log does not repeat it."""


UNCHANGED = Unchanged()
Value = str | None | Unchanged


class Operation(StrEnum):
    """The three changes a subscriber can ask for."""

    INSERT = "INSERT"
    UPDATE = "UPDATE"
    DELETE = "DELETE"


_OPERATIONS = {b"I": Operation.INSERT, b"U": Operation.UPDATE, b"D": Operation.DELETE}


@dataclass(frozen=True, slots=True)
class Column:
    """A column as the log describes it: `key` marks the replica identity."""

    name: str
    type_oid: int
    key: bool


@dataclass(frozen=True, slots=True)
class Relation:
    """A table as the log describes it before its first change; `identity` is d, n, f or i."""

    oid: int
    schema: str
    table: str
    identity: str
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One row that changed. Values are in PostgreSQL's text form, in the order of the relation's columns."""

    relation: Relation
    operation: Operation
    committed_at: datetime
    new: tuple[Value, ...] | None
    old: tuple[Value, ...] | None


class Decoder:
    """Turns the messages of one stream into changes; keeps the relations it has been told of."""

    def __init__(self) -> None:
        self._relations: dict[int, Relation] = {}
        self._committed_at = _EPOCH

    def decode(self, message: bytes) -> Change | None:
        """Return the change a message carries, None when it carries none."""
        match message[:1]:
            case b"I" | b"U" | b"D":
                return self._change(message)
            case b"R":
                relation = _read_relation(message)
                self._relations[relation.oid] = relation
            case b"B":
                (micros,) = struct.unpack_from("!q", message, 9)
                self._committed_at = _EPOCH + timedelta(microseconds=micros)
        return None

    def _change(self, message: bytes) -> Change:
        """Read an old row behind K or O, if there is one, and the new one behind N."""
        (oid,) = struct.unpack_from("!I", message, 1)
        operation, position = _OPERATIONS[message[:1]], 5
        new: tuple[Value, ...] | None = None
        old: tuple[Value, ...] | None = None
        if message[position : position + 1] in (b"K", b"O"):
            old, position = _tuple(message, position + 1)
        if operation is not Operation.DELETE:
            new, _ = _tuple(message, position + 1)
        relation, committed_at = self._relations[oid], self._committed_at
        return Change(relation=relation, operation=operation, committed_at=committed_at, new=new, old=old)


def _read_relation(message: bytes) -> Relation:
    (oid,) = struct.unpack_from("!I", message, 1)
    schema, position = _string(message, 5)
    table, position = _string(message, position)
    identity = chr(message[position])
    (count,) = struct.unpack_from("!H", message, position + 1)
    position += 3
    columns = []
    for _ in range(count):
        key = message[position] & 1 == 1
        name, position = _string(message, position + 1)
        (type_oid,) = struct.unpack_from("!I", message, position)
        position += 8
        columns.append(Column(name, type_oid, key))
    return Relation(oid, schema or "pg_catalog", table, identity, tuple(columns))


def _string(message: bytes, position: int) -> tuple[str, int]:
    end = message.index(0, position)
    return message[position:end].decode(), end + 1


def _tuple(message: bytes, position: int) -> tuple[tuple[Value, ...], int]:
    (count,) = struct.unpack_from("!H", message, position)
    position += 2
    values: list[Value] = []
    for _ in range(count):
        kind = message[position : position + 1]
        position += 1
        if kind == b"t":
            (length,) = struct.unpack_from("!I", message, position)
            position += 4
            values.append(message[position : position + length].decode())
            position += length
        else:
            values.append(UNCHANGED if kind == b"u" else None)
    return tuple(values), position
