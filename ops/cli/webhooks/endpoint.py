"""Webhook as an operator names it. The services that change it, and what it keeps while it is paused."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from uuid import UUID

import click
from psycopg.rows import DictRow, dict_row

from gateway.database import Connection, Database
from gateway.domain.conflicts import WebhookDisabled
from gateway.errors import ProblemError
from ops.cli.options import again, database_url
from ops.errors import OpsError
from realtime_bridge.shared import sql

_QUERIES = sql.Queries(__file__)
webhook_argument = click.argument("webhook_id", type=click.IntRange(1))


def get_account(connection: Connection, webhook_id: int) -> UUID:
    account_id: UUID | None = _QUERIES.find_value(connection, "account", webhook_id=webhook_id)
    if account_id is None:
        raise OpsError(f"There is no webhook {webhook_id}; {again('crossfade webhooks list')} shows the ids.")
    return account_id


@contextmanager
def served(connection: Connection, webhook_id: int) -> Iterator[tuple[Database, UUID, int]]:
    """Yield what the gateway's services ask for, over a pool of one; what they refuse becomes one sentence."""
    account_id = get_account(connection, webhook_id)
    try:
        with closing(Database(database_url(), pool_size=1)) as database:
            yield database, account_id, webhook_id
    except WebhookDisabled:
        way = f"{again(f'crossfade webhooks enable {webhook_id}')}, or POST /webhooks/{webhook_id}/enable,"
        raise OpsError(f"Webhook {webhook_id} is disabled: {way} comes first.") from None
    except ProblemError as error:
        raise OpsError(f"{error.title}. {error.detail}") from None


def find_deliveries(connection: Connection, webhook_id: int, event_ids: tuple[UUID, ...]) -> dict[int, UUID]:
    """Return the ids of these events' deliveries; each event has one, or nothing is done."""
    values = {"webhook_id": webhook_id, "event_ids": list(event_ids)}
    rows = _QUERIES.list_rows(connection, "deliveries_of_event", dict_row, **values)
    found = {row["id"]: row["event_id"] for row in rows}
    if missing := set(event_ids) - set(found.values()):
        raise OpsError(f"{min(missing)} was never queued for webhook {webhook_id}; recover finds what was not.")
    return found


def waiting(row: DictRow) -> str:
    return f"{row['waiting']}{'+' if row['waiting'] == 10_000 else ''}"  # noqa: PLR2004 where the count stops


def while_paused(connection: Connection, webhook_id: int) -> str:
    """Say, after a sentence, that nothing of it goes out yet and what lets it; empty while it is not paused."""
    row = _QUERIES.find_row(connection, "kept", dict_row, webhook_id=webhook_id)
    if row is None:
        return ""
    kept, them = ("delivery", "it") if row["waiting"] == 1 else ("deliveries", "them")
    way = f"{again(f'crossfade webhooks resume {webhook_id}')}, or POST /webhooks/{webhook_id}/resume,"
    return f" Webhook {webhook_id} is paused and keeps {waiting(row)} {kept}: {way} lets {them} go."
