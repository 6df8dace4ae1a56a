"""Rows of `webhook_deliveries` and `webhook_attempts`, always of one account. The service of the same name calls."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from gateway.database import Connection
from gateway.domain.pages import Position, count_fitting
from gateway.domain.webhooks import AttemptFilter, DeliveryFilter, Listing, Recovery
from realtime_bridge.shared import sql

_SQL = sql.Queries(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    representation: str
    sort_us: int
    id: int


def insert_delivery(
    connection: Connection, account_id: UUID, webhook_id: int, event_id: UUID, type_: str, payload: str
) -> str:
    """Queue an event that is not in the log; `payload` is JSON text."""
    values = {
        "account_id": account_id,
        "webhook_id": webhook_id,
        "event_id": event_id,
        "type": type_,
        "payload": payload,
    }
    return str(_SQL.get_value(connection, "insert_delivery", **values))


def announce(connection: Connection, webhook_id: int) -> None:
    """Say that the endpoint's queue has work."""
    _SQL.run(connection, "announce", webhook_id=webhook_id)


def list_deliveries(
    connection: Connection,
    account_id: UUID,
    webhook_id: int,
    chosen: DeliveryFilter,
    *,
    limit: int,
    after: Position | None,
) -> Listing:
    values = {
        "state": chosen.state.value if chosen.state else None,
        "type": chosen.type,
        "since": chosen.since,
        "until": chosen.until,
    }
    return _list(connection, "list_deliveries", account_id, webhook_id, values, limit=limit, after=after)


def list_attempts(
    connection: Connection,
    account_id: UUID,
    webhook_id: int,
    chosen: AttemptFilter,
    *,
    limit: int,
    after: Position | None,
) -> Listing:
    values = {"outcome": chosen.outcome, "type": chosen.type, "since": chosen.since, "until": chosen.until}
    return _list(connection, "list_attempts", account_id, webhook_id, values, limit=limit, after=after)


def find_delivery(connection: Connection, account_id: UUID, webhook_id: int, delivery_id: int) -> str | None:
    values = {"account_id": account_id, "webhook_id": webhook_id, "delivery_id": delivery_id}
    return _SQL.find_value(connection, "find_delivery", **values)


def replay(connection: Connection, account_id: UUID, webhook_id: int, delivery_id: int) -> None:
    """Queue a settled delivery once more."""
    _SQL.run(connection, "replay", account_id=account_id, webhook_id=webhook_id, delivery_id=delivery_id)


def end_rest(connection: Connection, webhook_id: int) -> None:
    _SQL.run(connection, "end_rest", webhook_id=webhook_id)


def find_state(connection: Connection, account_id: UUID, webhook_id: int, delivery_id: int) -> str | None:
    values = {"account_id": account_id, "webhook_id": webhook_id, "delivery_id": delivery_id}
    return _SQL.find_value(connection, "find_state", **values)


def bring_one_forward(
    connection: Connection, account_id: UUID, webhook_id: int, delivery_id: int, *, limit: int
) -> None:
    """Make one delivery due, and what must be sent before it."""
    values = {"account_id": account_id, "webhook_id": webhook_id, "delivery_id": delivery_id, "limit": limit}
    _SQL.run(connection, "bring_one_forward", **values)


def bring_forward(connection: Connection, account_id: UUID, webhook_id: int, *, limit: int) -> int:
    """Make deliveries due that wait for their time, soonest first; return how many."""
    return _SQL.find_value(connection, "bring_forward", account_id=account_id, webhook_id=webhook_id, limit=limit) or 0


def reopen_failed(connection: Connection, account_id: UUID, webhook_id: int, range_: Recovery, *, limit: int) -> int:
    return _recover(connection, "reopen_failed", account_id, webhook_id, range_, limit)


def insert_missing(connection: Connection, account_id: UUID, webhook_id: int, range_: Recovery, *, limit: int) -> int:
    return _recover(connection, "insert_missing", account_id, webhook_id, range_, limit)


def _recover(
    connection: Connection, query: str, account_id: UUID, webhook_id: int, range_: Recovery, limit: int
) -> int:
    values = {
        "account_id": account_id,
        "webhook_id": webhook_id,
        "since": range_.since,
        "until": range_.until,
        "types": list(range_.types),
        "limit": limit,
    }
    return _SQL.find_value(connection, query, **values) or 0


def _list(
    connection: Connection,
    query: str,
    account_id: UUID,
    webhook_id: int,
    chosen: dict[str, Any],
    *,
    limit: int,
    after: Position | None,
) -> Listing:
    values = chosen | {
        "account_id": account_id,
        "webhook_id": webhook_id,
        "sort_us": after.sort_us if after else None,
        "before_id": after.id if after else None,
        "fetch": limit + 1,
    }
    rows = _SQL.list_rows(connection, query, class_row(_Listed), **values)
    shown = rows[: count_fitting(row.representation for row in rows[:limit])]
    return Listing(
        items=tuple(row.representation for row in shown),
        has_more=len(rows) > len(shown),
        last=Position(sort_us=shown[-1].sort_us, id=shown[-1].id) if shown else None,
    )
