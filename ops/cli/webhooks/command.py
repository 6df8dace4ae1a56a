"""`crossfade webhooks`: endpoints and attempts for an operator. Replay, recovery, and events for a local receiver."""

import json
from datetime import datetime
from uuid import UUID

import click
from psycopg.rows import DictRow, dict_row

from gateway.database import Connection
from gateway.services import webhooks as endpoints
from ops.cli.answers import answers
from ops.cli.options import again
from ops.cli.webhooks.endpoint import get_account, served, waiting, webhook_argument, while_paused
from ops.cli.webhooks.listen import listen
from ops.cli.webhooks.sending import MOMENT, recover, replay, retry
from ops.terminal.output import Answer, Column, encode, moment, table
from realtime_bridge.shared import sql
from realtime_bridge.webhooks.contract.outcomes import Outcome

_QUERIES = sql.Queries(__file__)


def _state(row: DictRow) -> str:
    state = "paused" if row["paused"] else str(row["health"])
    return f"{state} ({row['consecutive_failures']} failed)" if row["consecutive_failures"] else state


def _moment(text: str | None) -> str | None:
    return moment(datetime.fromisoformat(text)) if text else None


ENDPOINT_COLUMNS = (
    Column("id", "id", right=True),
    Column("account", "account_id"),
    Column("url", "url"),
    Column("events", lambda row: " ".join(row["event_types"])),
    Column("state", _state),
    Column("waiting", waiting, right=True),
    Column("next attempt", "next_attempt_at"),
    Column("last failed", "last_failure_at"),
    Column("last error", lambda row: row["disabled_reason"] or row["last_error"]),
)
ATTEMPT_COLUMNS = (
    Column("started", lambda attempt: attempt["startedAt"][:19] + "Z"),
    Column("type", "type"),
    Column("event id", "eventId"),
    Column("try", lambda attempt: f"{attempt['number']}{' replay' if attempt['replay'] else ''}"),
    Column("outcome", "outcome"),
    Column("status", "status", right=True),
    Column("took, ms", lambda attempt: f"{attempt['timing']['totalMs']:.0f}", right=True),
    Column("error", "error"),
    Column("next attempt", lambda attempt: _moment(attempt["nextAttemptAt"])),
)


@click.group()
def webhooks() -> None:
    """Watch and repair webhooks, and try them on this machine."""


@webhooks.command("list")
@click.option("--account", "account_id", type=click.UUID, help="Only those of this user.")
@answers
def list_webhooks(connection: Connection, *, account_id: UUID | None) -> Answer:
    """Show every endpoint with its health and how much waits for it."""
    rows = _QUERIES.list_rows(connection, "list", dict_row, account_id=account_id)
    return table(rows, ENDPOINT_COLUMNS, "There are no webhooks.")


@webhooks.command(short_help="Show what became of the latest requests to WEBHOOK_ID.")
@webhook_argument
@click.option("--outcome", type=click.Choice([outcome.value for outcome in Outcome]), help="Only these.")
@click.option("--since", type=MOMENT, help="Not older than a time, or 2h, 30m, 3d ago.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@answers
def attempts(connection: Connection, *, webhook_id: int, as_json: bool, **chosen: object) -> Answer | None:
    """Show what became of the latest requests to WEBHOOK_ID, newest first; --json exports one object a line."""
    get_account(connection, webhook_id)
    found = _QUERIES.list_values(connection, "attempts", webhook_id=webhook_id, **chosen)
    if not as_json:
        return table(found, ATTEMPT_COLUMNS, f"Webhook {webhook_id} has no such attempts.")
    for attempt in found:
        click.echo(encode(attempt))
    return None


@webhooks.command()
@webhook_argument
@answers
def pause(connection: Connection, *, webhook_id: int) -> Answer:
    """Keep back what goes to WEBHOOK_ID until `resume`; nothing is lost."""
    shown = _set_paused(connection, webhook_id, paused=True)
    return Answer(shown, while_paused(connection, webhook_id).strip())


@webhooks.command()
@webhook_argument
@answers
def resume(connection: Connection, *, webhook_id: int) -> Answer:
    """Let go what WEBHOOK_ID kept back while it was paused."""
    shown = _set_paused(connection, webhook_id, paused=False)
    return Answer(shown, f"Webhook {webhook_id} is no longer paused.")


@webhooks.command(short_help="Send to WEBHOOK_ID again, which was disabled.")
@webhook_argument
@answers
def enable(connection: Connection, *, webhook_id: int) -> Answer:
    """Send to WEBHOOK_ID again, which was disabled; `recover` finds what it missed."""
    with served(connection, webhook_id) as webhook:
        shown = json.loads(endpoints.enable(*webhook))
    recover_it = again(f"crossfade webhooks recover {webhook_id} --since 2h")
    sentence = f"Webhook {webhook_id} is enabled. {recover_it}, say, queues what it missed."
    return Answer(shown, f"{sentence}{while_paused(connection, webhook_id)}")


def _set_paused(connection: Connection, webhook_id: int, *, paused: bool) -> object:
    with served(connection, webhook_id) as webhook:
        return json.loads(endpoints.pause(*webhook, paused=paused))


for command in (replay, retry, recover, listen):
    webhooks.add_command(command)
