"""The commands of `crossfade webhooks` that send again: replay, retry and recover."""

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import click
from rich.console import Console
from rich.progress import Progress

from gateway.database import Connection
from gateway.domain.conflicts import AlreadyDelivered
from gateway.domain.webhooks import Recovery
from gateway.services import webhook_deliveries as service
from gateway.shapes import catalogue
from ops.cli.answers import answers
from ops.cli.options import Word
from ops.cli.webhooks.endpoint import find_deliveries, served, webhook_argument, while_paused
from ops.errors import OpsError
from ops.terminal.output import Answer, count


def _moment(text: str) -> datetime | None:
    unit = {"m": "minutes", "h": "hours", "d": "days"}.get(text[-1:])
    if unit and text[:-1].isascii() and text[:-1].isdigit() and len(text) <= 6:  # noqa: PLR2004 five digits and a unit
        return datetime.now(UTC) - timedelta(**{unit: int(text[:-1])})
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


MOMENT = Word("time", _moment, "a time such as 2026-11-20T10:00:00Z, or 2h for two hours ago.")


@click.command()
@webhook_argument
@click.argument("event_ids", nargs=-1, required=True, type=click.UUID)
@answers
def replay(connection: Connection, *, webhook_id: int, event_ids: tuple[UUID, ...]) -> Answer:
    """Send EVENT_IDS to WEBHOOK_ID once more, under the same id."""
    with served(connection, webhook_id) as webhook:
        found = find_deliveries(connection, webhook_id, event_ids)
        shown = [json.loads(service.replay(*webhook, delivery_id)) for delivery_id in found]
    sentence = f"{count(len(shown), 'delivery', 'deliveries')} will be sent again."
    return Answer(shown, f"{sentence}{while_paused(connection, webhook_id)}")


@click.command(short_help="Deliver to WEBHOOK_ID now what waits.")
@webhook_argument
@click.argument("event_ids", nargs=-1, type=click.UUID)
@answers
def retry(connection: Connection, *, webhook_id: int, event_ids: tuple[UUID, ...]) -> Answer:
    """Deliver to WEBHOOK_ID now what waits for its next attempt, all of it, and end its rest.

    With EVENT_IDS only these, and one that has failed for good is tried once more.
    """
    with served(connection, webhook_id) as webhook:
        chosen = find_deliveries(connection, webhook_id, event_ids)
        for delivery_id, event_id in chosen.items():
            try:
                service.retry_delivery(*webhook, delivery_id)
            except AlreadyDelivered:
                raise OpsError(f"Event {event_id} has arrived; replay sends it once more.") from None
        retried, more = len(chosen), not event_ids
        while more:
            done = service.retry(*webhook)
            retried, more = retried + done.retried, done.has_more
    paused = while_paused(connection, webhook_id)
    sentence = "Nothing waits for a later attempt: what is queued is due already."
    if retried:
        sentence = f"{count(retried, 'delivery is', 'deliveries are')} due now."
    return Answer({"retried": retried, "paused": bool(paused)}, f"{sentence}{paused}")


@click.command(short_help="Deliver to WEBHOOK_ID what failed in a range of time.")
@webhook_argument
@click.option("--since", type=MOMENT, required=True, help="From a time on, or 2h, 30m, 3d ago.")
@click.option("--until", type=MOMENT, help="Before a time.  [default: now]")
@click.option(
    "--type", "types", multiple=True, type=click.Choice(list(catalogue.SUBSCRIBABLE)), help="Only these types."
)
@answers
def recover(
    connection: Connection,
    *,
    webhook_id: int,
    since: datetime,
    until: datetime | None,
    types: tuple[str, ...],
    as_json: bool,
) -> Answer:
    """Deliver to WEBHOOK_ID what failed in a range of time, and what was never queued while it was disabled.

    Nothing from before it was made. What waits for its next attempt is not touched: see `retry`.
    """
    range_ = Recovery(since=since, until=until or datetime.now(UTC) + timedelta(minutes=1), types=types)
    failed, missing, more = 0, 0, True
    console = Console(stderr=True)
    bar = Progress(console=console, disable=as_json or not console.is_terminal, transient=True)
    with served(connection, webhook_id) as webhook, bar:
        task = bar.add_task("Recovering", total=None)
        while more:
            done = service.recover(*webhook, range_)
            failed, missing, more = failed + done.failed, missing + done.missing, done.has_more
            bar.update(task, completed=failed + missing)
    found = count(failed, "failed delivery", "failed deliveries")
    found += f" and {count(missing, 'missing delivery', 'missing deliveries')}"
    return Answer({"failed": failed, "missing": missing}, f"{found} are queued.{while_paused(connection, webhook_id)}")
