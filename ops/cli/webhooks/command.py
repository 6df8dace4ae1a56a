"""`crossfade webhooks`: endpoints and attempts for an operator, replay, recovery, and events for a local receiver."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import click
from psycopg.rows import DictRow, dict_row
from rich.console import Console
from rich.progress import Progress

from gateway.database import Connection, Database
from gateway.domain.webhooks import Recovered, Recovery
from gateway.errors import AlreadyDelivered, ProblemError, WebhookDisabled
from gateway.services import webhook_deliveries as service
from gateway.services import webhooks as endpoints
from ops.cli.options import DEFAULT_DATA_DIR, again, database_option, database_url, json_option, open_database
from ops.errors import OpsError
from ops.terminal.output import Column, count, encode, moment, say, show
from realtime_bridge.shared import sql
from realtime_bridge.webhooks.contract import catalogue, signing
from realtime_bridge.webhooks.contract.outcomes import Outcome

_QUERIES = sql.Queries(__file__)
SECRET_VARIABLE = "CROSSFADE_LISTEN_SECRET"  # noqa: S105 a name, not a secret


class WebhooksError(OpsError):
    """There is no such webhook, or it cannot be done now."""


class Moment(click.ParamType[datetime]):
    """A time with its zone, or how long ago: `2h`, `30m`, `3d`."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        text = str(value)
        unit = {"m": "minutes", "h": "hours", "d": "days"}.get(text[-1:])
        if unit and text[:-1].isascii() and text[:-1].isdigit() and len(text) <= 6:  # noqa: PLR2004 five digits and a unit
            return datetime.now(UTC) - timedelta(**{unit: int(text[:-1])})
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            self.fail(f"{text!r} is not a time such as 2026-11-20T10:00:00Z, or 2h for two hours ago.", param, ctx)
        return moment


def _state(row: DictRow) -> str:
    state = "paused" if row["paused"] else str(row["health"])
    return f"{state} ({row['consecutive_failures']} failed)" if row["consecutive_failures"] else state


def _waiting(row: DictRow) -> str:
    return f"{row['waiting']}{'+' if row['waiting'] == 10_000 else ''}"  # noqa: PLR2004 where the count stops


def _moment(text: str | None) -> str | None:
    return moment(datetime.fromisoformat(text)) if text else None


ENDPOINT_COLUMNS = (
    Column("id", "id", right=True),
    Column("account", "account_id"),
    Column("url", "url"),
    Column("events", lambda row: " ".join(row["event_types"])),
    Column("state", _state),
    Column("waiting", _waiting, right=True),
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
@database_option
@json_option
def list_webhooks(*, account_id: UUID | None, data_dir: Path | None, as_json: bool) -> None:
    """Show every endpoint with its health and how much waits for it."""
    with open_database(data_dir) as connection:
        rows = _QUERIES.list_rows(connection, "list", dict_row, account_id=account_id)
    show(rows, ENDPOINT_COLUMNS, as_json=as_json, empty="There are no webhooks.")


@webhooks.command(short_help="Show what became of the latest requests to WEBHOOK_ID.")
@click.argument("webhook_id", type=click.IntRange(1))
@click.option("--outcome", type=click.Choice([outcome.value for outcome in Outcome]), help="Only these.")
@click.option("--since", type=Moment(), help="Not older than a time, or 2h, 30m, 3d ago.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@database_option
@json_option
def attempts(
    *, webhook_id: int, outcome: str | None, since: datetime | None, limit: int, data_dir: Path | None, as_json: bool
) -> None:
    """Show what became of the latest requests to WEBHOOK_ID, newest first; --json exports one object a line."""
    with open_database(data_dir) as connection:
        _account(connection, webhook_id)
        values = {"webhook_id": webhook_id, "outcome": outcome, "since": since, "limit": limit}
        found = _QUERIES.list_values(connection, "attempts", **values)
    if as_json:
        for attempt in found:
            click.echo(encode(attempt))
        return
    show(found, ATTEMPT_COLUMNS, as_json=False, empty=f"Webhook {webhook_id} has no such attempts.")


@webhooks.command()
@click.argument("webhook_id", type=click.IntRange(1))
@click.argument("event_ids", nargs=-1, required=True, type=click.UUID)
@database_option
@json_option
def replay(*, webhook_id: int, event_ids: tuple[UUID, ...], data_dir: Path | None, as_json: bool) -> None:
    """Send EVENT_IDS to WEBHOOK_ID once more, under the same id."""
    with open_database(data_dir) as connection:
        account_id = _account(connection, webhook_id)
        found = _deliveries(connection, webhook_id, event_ids)
    with _database(data_dir, webhook_id) as database:
        shown = [json.loads(service.replay(database, account_id, webhook_id, delivery_id)) for delivery_id in found]
    sentence = f"{count(len(shown), 'delivery', 'deliveries')} will be sent again."
    say(shown, f"{sentence}{_while_paused(data_dir, webhook_id)}", as_json=as_json)


@webhooks.command(short_help="Deliver to WEBHOOK_ID now what waits.")
@click.argument("webhook_id", type=click.IntRange(1))
@click.argument("event_ids", nargs=-1, type=click.UUID)
@database_option
@json_option
def retry(*, webhook_id: int, event_ids: tuple[UUID, ...], data_dir: Path | None, as_json: bool) -> None:
    """Deliver to WEBHOOK_ID now what waits for its next attempt, all of it, and end its rest.

    With EVENT_IDS only these, and one that has failed for good is tried once more.
    """
    with open_database(data_dir) as connection:
        account_id = _account(connection, webhook_id)
        chosen = _deliveries(connection, webhook_id, event_ids) if event_ids else {}
    retried, more = len(chosen), not event_ids
    with _database(data_dir, webhook_id) as database:
        for delivery_id, event_id in chosen.items():
            try:
                service.retry_delivery(database, account_id, webhook_id, delivery_id)
            except AlreadyDelivered:
                raise WebhooksError(f"Event {event_id} has arrived; replay sends it once more.") from None
        while more:
            done = service.retry(database, account_id, webhook_id)
            retried, more = retried + done.retried, done.has_more
    paused = _while_paused(data_dir, webhook_id)
    sentence = "Nothing waits for a later attempt: what is queued is due already."
    if retried:
        sentence = f"{count(retried, 'delivery is', 'deliveries are')} due now."
    say({"retried": retried, "paused": bool(paused)}, f"{sentence}{paused}", as_json=as_json)


@webhooks.command()
@click.argument("webhook_id", type=click.IntRange(1))
@database_option
@json_option
def pause(*, webhook_id: int, data_dir: Path | None, as_json: bool) -> None:
    """Keep back what goes to WEBHOOK_ID until `resume`; nothing is lost."""
    shown = _pause(data_dir, webhook_id, paused=True)
    say(shown, _while_paused(data_dir, webhook_id).strip(), as_json=as_json)


@webhooks.command()
@click.argument("webhook_id", type=click.IntRange(1))
@database_option
@json_option
def resume(*, webhook_id: int, data_dir: Path | None, as_json: bool) -> None:
    """Let go what WEBHOOK_ID kept back while it was paused."""
    shown = _pause(data_dir, webhook_id, paused=False)
    say(shown, f"Webhook {webhook_id} is no longer paused.", as_json=as_json)


@webhooks.command(short_help="Send to WEBHOOK_ID again, which was disabled.")
@click.argument("webhook_id", type=click.IntRange(1))
@database_option
@json_option
def enable(*, webhook_id: int, data_dir: Path | None, as_json: bool) -> None:
    """Send to WEBHOOK_ID again, which was disabled; `recover` finds what it missed."""
    with open_database(data_dir) as connection:
        account_id = _account(connection, webhook_id)
    with _database(data_dir, webhook_id) as database:
        shown = json.loads(endpoints.enable(database, account_id, webhook_id))
    recover_it = again(f"crossfade webhooks recover {webhook_id} --since 2h")
    sentence = f"Webhook {webhook_id} is enabled. {recover_it}, say, queues what it missed."
    say(shown, f"{sentence}{_while_paused(data_dir, webhook_id)}", as_json=as_json)


def _pause(data_dir: Path | None, webhook_id: int, *, paused: bool) -> object:
    with open_database(data_dir) as connection:
        account_id = _account(connection, webhook_id)
    with _database(data_dir, webhook_id) as database:
        return json.loads(endpoints.pause(database, account_id, webhook_id, paused=paused))


@webhooks.command(short_help="Deliver to WEBHOOK_ID what failed in a range of time.")
@click.argument("webhook_id", type=click.IntRange(1))
@click.option("--since", type=Moment(), required=True, help="From a time on, or 2h, 30m, 3d ago.")
@click.option("--until", type=Moment(), help="Before a time.  [default: now]")
@click.option(
    "--type", "types", multiple=True, type=click.Choice(list(catalogue.SUBSCRIBABLE)), help="Only these types."
)
@database_option
@json_option
def recover(
    *,
    webhook_id: int,
    since: datetime,
    until: datetime | None,
    types: tuple[str, ...],
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Deliver to WEBHOOK_ID what failed in a range of time, and what was never queued while it was disabled.

    Nothing from before it was made. What waits for its next attempt is not touched: see `retry`.
    """
    with open_database(data_dir) as connection:
        account_id = _account(connection, webhook_id)
    range_ = Recovery(since=since, until=until or datetime.now(UTC) + timedelta(minutes=1), types=types)
    failed = missing = 0
    console = Console(stderr=True)
    is_quiet = as_json or not console.is_terminal
    database_open = _database(data_dir, webhook_id)
    with database_open as database, Progress(console=console, disable=is_quiet, transient=True) as progress:
        task = progress.add_task("Recovering", total=None)
        more = True
        while more:
            done: Recovered = service.recover(database, account_id, webhook_id, range_)
            failed, missing, more = failed + done.failed, missing + done.missing, done.has_more
            progress.update(task, completed=failed + missing)
    found = [
        count(failed, "failed delivery", "failed deliveries"),
        count(missing, "missing delivery", "missing deliveries"),
    ]
    sentence = f"{' and '.join(found)} are queued.{_while_paused(data_dir, webhook_id)}"
    say({"failed": failed, "missing": missing}, sentence, as_json=as_json)


@webhooks.command(short_help="Forward events to a receiver on this machine, signed.")
@click.option(
    "--forward-to", "target", required=True, help="Where your receiver listens, say http://127.0.0.1:3000/hooks."
)
@click.option("--api-url", help="Ask this gateway by long poll; with --api-key, no database is needed.")
@click.option("--api-key", help="A key with chat:read, for --api-url.")
@click.option("--account", "account_id", type=click.UUID, help="Whose events.  [default: the demo account's]")
@click.option("--type", "patterns", multiple=True, default=["*"], show_default=True, help="A type, family.* or *.")
@click.option("--secret", envvar=SECRET_VARIABLE, help=f"Sign with this (or {SECRET_VARIABLE}).  [default: kept here]")
@click.option("--after", type=click.IntRange(0), help="Begin after this seq of the log.  [default: now]")
@click.option("--count", type=click.IntRange(1), help="Stop after so many events.")
@database_option
@json_option
def listen(
    *,
    target: str,
    api_url: str | None,
    api_key: str | None,
    account_id: UUID | None,
    patterns: tuple[str, ...],
    secret: str | None,
    after: int | None,
    count: int | None,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Forward events to a receiver on this machine, signed as webhooks are; no public URL is needed.

    Takes events from now on, from the API or from the database, and posts each as it comes, until Ctrl-C. Nothing is
    stored: what your receiver refuses is shown and not tried again. The secret is made once and kept in the data
    directory, so your receiver's settings hold over runs; delete the file for another one.
    """
    from ops.cli.webhooks.listener import ApiSource, Listener, LogSource, Source, is_http, kept_secret

    if unknown := [word for word in patterns if not catalogue.is_pattern(word)]:
        raise click.UsageError(f"{unknown[0]!r} is not an event type; there are {', '.join(catalogue.SUBSCRIBABLE)}.")
    for url in filter(None, (target, api_url)):
        if not is_http(url):
            raise click.UsageError(f"{url!r} is not an http:// or https:// URL.")
    if bool(api_url) != bool(api_key):
        raise click.UsageError("Give --api-url and --api-key together.")
    chosen = _checked(secret) or kept_secret(data_dir or DEFAULT_DATA_DIR)
    with ExitStack() as stack:
        source: Source
        if api_url and api_key:
            source = ApiSource(api_url, api_key, patterns, say=lambda sentence: click.echo(sentence, err=True))
        else:
            connection = stack.enter_context(open_database(data_dir))
            account = account_id or _demo_account(connection)
            source = LogSource(connection, account_id=account, patterns=patterns, after=after)
        listener = Listener(source, target=target, secret=chosen)
        if not as_json:
            click.echo(f"Events go to {target}. Verify them with {listener.secret}", err=True)
        for shown in listener.forward(count):
            say(shown, Listener.line(shown), as_json=as_json)


def _checked(secret: str | None) -> str | None:
    if secret is not None:
        try:
            signing.key_of(secret)
        except signing.MalformedSecret as error:
            raise click.UsageError(str(error)) from None
    return secret


def _account(connection: Connection, webhook_id: int) -> UUID:
    account_id: UUID | None = _QUERIES.find_value(connection, "account", webhook_id=webhook_id)
    if account_id is None:
        raise WebhooksError(f"There is no webhook {webhook_id}; {again('crossfade webhooks list')} shows the ids.")
    return account_id


def _deliveries(connection: Connection, webhook_id: int, event_ids: tuple[UUID, ...]) -> dict[int, UUID]:
    """Return the ids of these events' deliveries; each event has one, or nothing is done."""
    values = {"webhook_id": webhook_id, "event_ids": list(event_ids)}
    rows = _QUERIES.list_rows(connection, "deliveries_of_event", dict_row, **values)
    found = {row["id"]: row["event_id"] for row in rows}
    if missing := set(event_ids) - set(found.values()):
        raise WebhooksError(f"{min(missing)} was never queued for webhook {webhook_id}; recover finds what was not.")
    return found


def _demo_account(connection: Connection) -> UUID:
    account_id: UUID | None = _QUERIES.find_value(connection, "owner_of_demo")
    if account_id is None:
        raise WebhooksError("Say whose events: --account UUID, or --api-url and --api-key.")
    return account_id


def _while_paused(data_dir: Path | None, webhook_id: int) -> str:
    """Say, after a sentence, that nothing of it goes out yet and what lets it; empty while it is not paused."""
    with open_database(data_dir) as connection:
        row = _QUERIES.find_row(connection, "kept", dict_row, webhook_id=webhook_id)
    if row is None:
        return ""
    kept = f"{_waiting(row)} {'delivery' if row['waiting'] == 1 else 'deliveries'}"
    way = f"{again(f'crossfade webhooks resume {webhook_id}')}, or POST /webhooks/{webhook_id}/resume,"
    return f" Webhook {webhook_id} is paused and keeps {kept}: {way} lets {'it' if row['waiting'] == 1 else 'them'} go."


@contextmanager
def _database(data_dir: Path | None, webhook_id: int) -> Iterator[Database]:
    """The gateway's services over a pool of one; what they refuse becomes one sentence."""
    database = Database(database_url(data_dir), pool_size=1)
    try:
        yield database
    except WebhookDisabled:
        way = f"{again(f'crossfade webhooks enable {webhook_id}')}, or POST /webhooks/{webhook_id}/enable,"
        raise WebhooksError(f"Webhook {webhook_id} is disabled: {way} comes first.") from None
    except ProblemError as error:
        raise WebhooksError(f"{error.title}. {error.detail}") from None
    finally:
        database.close()
