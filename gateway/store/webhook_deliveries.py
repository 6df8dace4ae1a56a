"""Rows of `webhook_deliveries` and `webhook_attempts`, always of one account. The service of the same name calls."""

import json
from dataclasses import asdict
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from gateway.database import Connection
from gateway.domain.pages import TOP, Listed, Page, Position, page_of
from gateway.domain.webhooks import AttemptFilter, DeliveryFilter, Recovery
from realtime_bridge.shared import sql

_SQL = sql.Queries(__file__)


def append(
    connection: Connection, account_id: UUID, webhook_id: int, event_id: UUID, type_: str, data: dict[str, Any]
) -> str:
    """Queue an event that is not in the log, and say so; return the delivery's representation."""
    values = {
        "account_id": account_id,
        "webhook_id": webhook_id,
        "event_id": event_id,
        "type": type_,
        "payload": json.dumps(data, ensure_ascii=False),
    }
    shown = str(_SQL.get_value(connection, "insert_delivery", **values))
    announce(connection, webhook_id)
    return shown


def announce(connection: Connection, webhook_id: int) -> None:
    """Say that the endpoint's queue has work."""
    _SQL.run(connection, "announce", webhook_id=webhook_id)


def list_sent(
    connection: Connection,
    account_id: UUID,
    webhook_id: int,
    chosen: DeliveryFilter | AttemptFilter,
    *,
    limit: int,
    after: Position | None,
) -> Page:
    """Return a page of deliveries, or of attempts if these are chosen."""
    values = asdict(chosen) | {
        "account_id": account_id,
        "webhook_id": webhook_id,
        **(after or TOP).bound,
        "fetch": limit + 1,
    }
    query = "list_deliveries" if isinstance(chosen, DeliveryFilter) else "list_attempts"
    return page_of(_SQL.list_rows(connection, query, class_row(Listed), **values), limit)


def find_delivery(connection: Connection, account_id: UUID, webhook_id: int, delivery_id: int) -> str | None:
    values = {"account_id": account_id, "webhook_id": webhook_id, "delivery_id": delivery_id}
    return _SQL.find_value(connection, "find_delivery", **values)


def find_state(connection: Connection, account_id: UUID, webhook_id: int, delivery_id: int) -> str | None:
    values = {"account_id": account_id, "webhook_id": webhook_id, "delivery_id": delivery_id}
    return _SQL.find_value(connection, "find_state", **values)


def replay(connection: Connection, account_id: UUID, webhook_id: int, delivery_id: int) -> None:
    """Queue a settled delivery once more."""
    _SQL.run(connection, "replay", account_id=account_id, webhook_id=webhook_id, delivery_id=delivery_id)


def end_rest(connection: Connection, webhook_id: int) -> None:
    _SQL.run(connection, "end_rest", webhook_id=webhook_id)


def bring_one_forward(
    connection: Connection, account_id: UUID, webhook_id: int, delivery_id: int, *, limit: int
) -> None:
    """Make one delivery due, and what must be sent before it."""
    values = {"account_id": account_id, "webhook_id": webhook_id, "delivery_id": delivery_id, "limit": limit}
    _SQL.run(connection, "bring_one_forward", **values)


def bring_forward(connection: Connection, account_id: UUID, webhook_id: int, *, limit: int) -> int:
    """Make deliveries due that wait for their time, soonest first; return how many."""
    values = {"account_id": account_id, "webhook_id": webhook_id, "limit": limit}
    return int(_SQL.get_value(connection, "bring_forward", **values))


def recover(
    connection: Connection, account_id: UUID, webhook_id: int, range_: Recovery, *, limit: int
) -> tuple[int, int]:
    """Queue what failed and what was never queued; return how many of each."""
    values = {
        "account_id": account_id,
        "webhook_id": webhook_id,
        "since": range_.since,
        "until": range_.until,
        "types": list(range_.types),
        "limit": limit,
    }
    failed = _SQL.get_value(connection, "reopen_failed", **values)
    return failed, _SQL.get_value(connection, "insert_missing", **values)
