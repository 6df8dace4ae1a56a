"""Delivery of one change to its subscribers.

Filters, then what a role may select, then what a caller's policies show.
"""

from dataclasses import dataclass
from typing import Any

from ops.local_supabase.access.tokens import Claims
from ops.local_supabase.changes import catalog
from ops.local_supabase.changes.bindings import Binding
from ops.local_supabase.changes.catalog import TableFacts
from ops.local_supabase.database.connections import Connection, Sessions
from ops.local_supabase.replication.pgoutput import Change, Operation, Relation, Unchanged
from ops.local_supabase.sockets.hub import Listener
from ops.local_supabase.wire.messages import TextFanout

MOST_RECORD_BYTES = 1_048_576  # Supabase: records over 1 MiB lose their long values
MOST_KEPT_BYTES = 64  # values up to this length stay even then
MOST_TABLES_KNOWN = 500

UNAUTHORIZED = "Error 401: Unauthorized"
NO_PRIMARY_KEY = "Error 400: Bad Request, no primary key"
TOO_LARGE = "Error 413: Payload Too Large"

Texts = dict[str, str | None]
Viewer = tuple[str, str, tuple[str, ...] | None]


@dataclass(frozen=True, slots=True, eq=False)
class Subscription:
    """One binding of one channel; given twice, it is two. It keeps to its tables also when they are renamed."""

    channel: Listener
    id: int
    binding: Binding
    tables: frozenset[int]

    def wants(self, change: Change) -> bool:
        relation = change.relation
        if relation.oid in self.tables:
            return self.binding.wants_event(change.operation)
        return self.binding.wants(change.operation, relation.schema, relation.table)  # made since, or a partition


@dataclass(frozen=True, slots=True)
class Row:
    """A change with its values: the log's text for questions, JSON for clients."""

    change: Change
    facts: TableFacts
    new: Texts
    filtered: Texts
    """What filters are asked about: the new row, or all that the log kept of a deleted one."""
    new_json: dict[str, Any]
    old_json: dict[str, Any]
    too_large: bool

    @property
    def key(self) -> Texts:
        return {name: self.new.get(name) for name in self.facts.primary_key}


class Delivery:
    """Works one change at a time; keeps what it knows about tables while the log keeps describing them the same."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._facts: dict[Relation, TableFacts] = {}

    async def deliver(self, change: Change, wanting: list[Subscription]) -> None:
        async with self._sessions.borrow() as connection:
            facts = await self._table_facts(connection, change.relation)
            if not facts.columns:
                return
            row = await _read_row(connection, change, facts)
            passed = await _filter(connection, row, wanting)
            views: dict[Viewer, dict[str, Any] | None] = {}
            matched: dict[tuple[Listener, Viewer], list[int]] = {}
            for one in passed:
                claims = one.channel.claims
                viewer = (claims.role, claims.json, one.binding.select)
                if viewer not in views:
                    views[viewer] = await _view(connection, row, claims, one.binding.select)
                matched.setdefault((one.channel, viewer), []).append(one.id)
        for (channel, viewer), ids in matched.items():
            data = views[viewer]
            if data is not None:
                channel.deliver_change(_message(channel, data, ids))

    async def _table_facts(self, connection: Connection, relation: Relation) -> TableFacts:
        facts = self._facts.get(relation)
        if facts is None or facts.relation is not relation:
            if len(self._facts) >= MOST_TABLES_KNOWN:
                self._facts.clear()
            facts = self._facts[relation] = await catalog.table_facts(connection, relation)
        return facts


def _message(channel: Listener, data: dict[str, Any], ids: list[int]) -> TextFanout:
    if channel.config.legacy:
        return TextFanout(channel.topic, str(data["type"]), data)
    return TextFanout(channel.topic, "postgres_changes", {"data": data, "ids": ids})


async def _read_row(connection: Connection, change: Change, facts: TableFacts) -> Row:
    known = {column.name for column in facts.columns}
    names = [column.name for column in change.relation.columns]
    new = _texts(names, change.new, known)
    old = _texts(names, change.old, known & _kept(change.relation))
    if change.new is not None and change.old is not None:
        for name, value in zip(names, change.new, strict=True):
            if isinstance(value, Unchanged) and name in old:
                new[name] = old[name]
    new, old = await _whole(connection, facts, new), await _whole(connection, facts, old)
    filtered = new or old
    identity = _identity(change, facts, new, old)
    size = sum(len(value) for texts in (new, identity) for value in texts.values() if value is not None)
    too_large = size > MOST_RECORD_BYTES
    if too_large:
        new, identity = _short_only(new), _short_only(identity)
    new_json = await catalog.as_json(connection, facts, new)
    old_json = await catalog.as_json(connection, facts, identity)
    return Row(change, facts, new or identity, filtered, new_json, old_json, too_large)


async def _whole(connection: Connection, facts: TableFacts, values: Texts) -> Texts:
    return await catalog.with_generated(connection, facts, values) if values else values


def _texts(names: list[str], values: tuple[Any, ...] | None, known: set[str]) -> Texts:
    if values is None:
        return {}
    pairs = zip(names, values, strict=True)
    return {name: value for name, value in pairs if name in known and not isinstance(value, Unchanged)}


def _kept(relation: Relation) -> set[str]:
    """What the log keeps of an old row; the rest of it stands there as null."""
    return {column.name for column in relation.columns if column.key or relation.identity == "f"}


def _identity(change: Change, facts: TableFacts, new: Texts, old: Texts) -> Texts:
    """The old record: all of it with replica identity full, else the key, even when it did not change."""
    if change.operation is Operation.INSERT:
        return {}
    if change.operation is Operation.DELETE and facts.policies_apply:  # nobody can be asked about a row that is gone
        return {name: old[name] for name in facts.primary_key if name in old}
    if change.relation.identity == "f":
        return old
    keys = _kept(change.relation) or set(facts.primary_key)
    return {name: value for name, value in (old or new).items() if name in keys}


def _short_only(texts: Texts) -> Texts:
    return {name: value for name, value in texts.items() if value is not None and len(value) <= MOST_KEPT_BYTES}


async def _filter(connection: Connection, row: Row, wanting: list[Subscription]) -> list[Subscription]:
    conditions = list(dict.fromkeys(condition for one in wanting for condition in one.binding.filters))
    answers = await catalog.matching(connection, row.facts, conditions, row.filtered)
    return [one for one in wanting if all(answers[condition] for condition in one.binding.filters)]


async def _view(
    connection: Connection, row: Row, claims: Claims, select: tuple[str, ...] | None
) -> dict[str, Any] | None:
    """What one caller gets of a change, None when the policies hide it."""
    key = row.facts.primary_key
    if not key:
        return _refused(row, NO_PRIMARY_KEY)
    readable = await catalog.readable_columns(connection, row.facts, claims.role)
    deleted = row.change.operation is Operation.DELETE
    if not deleted and not readable.issuperset(key):
        return _refused(row, UNAUTHORIZED)
    if (
        row.facts.policies_apply
        and not deleted
        and not await catalog.is_visible(connection, row.facts, claims, row.key)
    ):
        return None
    shown = readable if select is None else readable & {*select, *key}
    return _data(row, shown)


def _refused(row: Row, error: str) -> dict[str, Any]:
    return {**_head(row), "commit_timestamp": None, "columns": [], "record": {}, "errors": [error]}


def _data(row: Row, shown: set[str]) -> dict[str, Any]:
    committed_at = row.change.committed_at
    data = {
        **_head(row),
        "commit_timestamp": f"{committed_at:%Y-%m-%dT%H:%M:%S}.{committed_at.microsecond // 1000:03d}Z",
        "columns": [
            {"name": column.name, "type": column.type_name} for column in row.facts.columns if column.name in shown
        ],
        "errors": [TOO_LARGE] if row.too_large else None,
    }
    if row.change.operation is not Operation.DELETE:
        data["record"] = {name: value for name, value in row.new_json.items() if name in shown}
    if row.change.operation is not Operation.INSERT:
        data["old_record"] = {name: value for name, value in row.old_json.items() if name in shown}
    return data


def _head(row: Row) -> dict[str, Any]:
    relation = row.change.relation
    return {"schema": relation.schema, "table": relation.table, "type": row.change.operation.value}
