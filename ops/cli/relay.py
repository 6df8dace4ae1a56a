"""`crossfade relay`: where sinks stand, what they refused, sending it again."""

from collections.abc import Iterator
from functools import cached_property
from uuid import UUID

import click
from psycopg.rows import DictRow, dict_row

from gateway.database import Connection
from ops.cli.answers import answers
from ops.cli.options import again, open_database
from ops.terminal.output import Answer, Column, Rows, count, moment, table
from realtime_bridge.fleet import reports
from realtime_bridge.relay import parked
from realtime_bridge.shared import sql

_SQL = sql.Queries(__file__)


class SinkName(click.Choice[str]):
    """A sink of the bridge's, which is loaded only for who names one or asks for their names."""

    def __init__(self) -> None:
        self.case_sensitive = True

    @cached_property
    def choices(self) -> tuple[str, ...]:  # type: ignore[override]
        from realtime_bridge.wiring.relays import SINKS

        return tuple(SINKS)


def describe(row: DictRow) -> str:
    """Say in words what a sink is doing."""
    if row["held_by"] is None:
        return "not running"
    if row["is_fed"] is False:
        return "not fed"
    if row["breaker"] == "open":
        return f"breaker open, probe in {row['retry_in_s'] or 0:.0f} s"
    if row["consecutive_failures"]:
        return f"failing ({row['consecutive_failures']} in a row)"
    return "waiting" if row["waiting_for"] else "delivering"


def _holding(row: DictRow) -> str:
    """Say who has the sink, and what it gets there; a bridge of the version before does not tell."""
    if row["is_fed"] is None:
        return f"{row['sink']} is delivered by {row['held_by']}."
    since = f"since {moment(row['fed_since'])}"
    by = f"{row['held_by']} (CHAT_REALTIME_PROVIDER={row['provider']})"
    if row["is_fed"]:
        return f"{row['sink']} is delivered by {by}, fed {since}."
    return f"{row['sink']} gets nothing {since}: {by} passes its events over."


NOBODY = (
    "No bridge is running: `python -m realtime_bridge` starts one, ./ops/up all of a development stack. Events wait in"
    " the log meanwhile."
)
STATUS_COLUMNS = (
    Column("sink", "sink"),
    Column("state", describe),
    Column("behind, events", "lag_events", right=True),
    Column("behind, s", lambda row: f"{row['lag_s']:.1f}" if row["lag_s"] else "", right=True),
    Column("holes", "holes", right=True),
    Column("parked", "parked", right=True),
    Column("delivered", "delivered_count", right=True),
)
PARKED_COLUMNS = (
    Column("sink", "sink"),
    Column("event id", "event_id"),
    Column("type", "type"),
    Column("conversation", "conversation_id", right=True),
    Column("seq", "seq", right=True),
    Column("attempts", "attempts", right=True),
    Column("parked at", "parked_at"),
    Column("reason", lambda row: f"{row['reason']}{' (replay requested)' if row['replay_requested_at'] else ''}"),
)


@click.group()
def relay() -> None:
    """Watch and repair the delivery of events to the sinks."""


@relay.command(short_help="Show who delivers, how far behind each is, and why.")
@answers
def status(connection: Connection) -> Answer:
    """Show for each sink who delivers, how far behind it is, and why it fails if it does."""
    rows = _SQL.list_rows(connection, "status", dict_row, alive_s=reports.ALIVE_S)
    nobody = [] if any(row["held_by"] for row in rows) else [NOBODY]
    return Answer(rows, Rows(rows, STATUS_COLUMNS), *nobody, *(line for row in rows for line in _lines(row)))


def _lines(row: DictRow) -> Iterator[str]:
    if row["held_by"]:
        yield _holding(row)
    if row["last_error"]:
        yield f"{row['sink']} last failed at {moment(row['last_error_at'])}: {row['last_error']}"
    if row["waiting_for"]:
        yield f"{row['sink']} waits, and loses nothing: {row['waiting_for']}"
    if row["sent_again"]:
        events, at = count(row["sent_again"], "event", "events"), moment(row["sent_again_at"])
        yield f"{row['sink']} has sent {events} again, lately at {at}: Realtime had perhaps not heard them."
    if row["parked"]:
        number, verb = count(row["parked"], "event", "events"), "is" if row["parked"] == 1 else "are"
        yield f"{number} of {row['sink']} {verb} parked: see {again('crossfade relay parked')}."


@relay.command("parked")
@click.option("--sink", type=SinkName(), help="Only this sink's.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@click.option("--offset", type=click.IntRange(0), default=0, show_default=True)
@answers
def list_parked(connection: Connection, *, sink: str | None, limit: int, offset: int) -> Answer:
    """List events that a sink refused, newest first, with the reason."""
    rows = parked.list_parked(connection, sink=sink, limit=limit, offset=offset)
    return table(rows, PARKED_COLUMNS, "Nothing is parked.")


@relay.command()
@click.argument("event_ids", nargs=-1, type=click.UUID)
@click.option("--all", "everything", is_flag=True, help="Every parked event (of --sink, if given).")
@click.option("--sink", type=SinkName(), help="Only for this sink.")
@answers
def replay(*, event_ids: tuple[UUID, ...], everything: bool, sink: str | None) -> Answer:
    """Have parked events delivered again: name EVENT_IDS, or say --all. The running bridge does it at once.

    Nothing to replay is no failure of --all; of an event that was named it is, and then exit code 1 says so.
    """
    if bool(event_ids) == everything:
        raise click.UsageError("Name the events to replay, or say --all.")
    with open_database() as connection:
        requested = parked.request_replay(connection, sink=sink, event_ids=list(event_ids) or None)
    look = again("crossfade relay parked")
    if event_ids and not requested:
        raise click.ClickException(f"No parked event matches; {look} lists them.")
    sentence = "Nothing is parked, so there is nothing to replay."
    if requested:
        sentence = f"{count(len(requested), 'event', 'events')} will be delivered again; {look} shows what is refused."
    return Answer({"requested": requested}, sentence)
