"""`crossfade relay`: where each sink stands, what it could not deliver, and sending that again."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import click
import psycopg
from psycopg.rows import DictRow, dict_row
from rich.console import Console
from rich.table import Table

from ops.cli.options import database_option, database_url, json_option
from realtime_bridge import parked, sql
from realtime_bridge.sinks.base import SINKS

_STATUS = sql.load(__file__)["status"]


@click.group()
def relay() -> None:
    """Watch and repair the delivery of events to the sinks."""


@relay.command()
@database_option
@json_option
def status(*, data_dir: Path | None, as_json: bool) -> None:
    """Show for each sink who delivers, how far behind it is, and why it fails if it does."""
    with _connect(data_dir) as connection:
        rows = connection.execute(_STATUS).fetchall()
    if as_json:
        click.echo(json.dumps(rows, default=str))
        return
    table = Table("sink", "state", "behind", "holes", "parked", "delivered")
    for row in rows:
        table.add_row(
            row["sink"],
            describe(row),
            f"{row['lag_events']} events" + (f", {row['lag_s']:.1f} s" if row["lag_s"] else ""),
            str(row["holes"]),
            str(row["parked"]),
            str(row["delivered_count"]),
        )
    Console().print(table)
    for row in rows:
        if row["held_by"]:
            click.echo(_holding(row))
        if row["last_error"]:
            click.echo(f"{row['sink']} last failed at {row['last_error_at']:%Y-%m-%d %H:%M:%S}Z: {row['last_error']}")
        if row["waiting_for"]:
            click.echo(f"{row['sink']} waits, and loses nothing: {row['waiting_for']}")
        if row["sent_again"]:
            click.echo(
                f"{row['sink']} has sent {row['sent_again']} broadcasts again, lately at"
                f" {row['sent_again_at']:%Y-%m-%d %H:%M:%S}Z: Realtime had perhaps not heard them."
            )
        if row["parked"]:
            click.echo(f"{row['parked']} events of {row['sink']} are parked: see crossfade relay parked.")


def _holding(row: DictRow) -> str:
    """Say who has the sink, and what it gets there; a bridge of the version before does not tell."""
    if row["is_fed"] is None:
        return f"{row['sink']} is delivered by {row['held_by']}."
    since = f"since {row['fed_since']:%Y-%m-%d %H:%M:%S}Z"
    by = f"{row['held_by']} (CHAT_REALTIME_PROVIDER={row['provider']})"
    if row["is_fed"]:
        return f"{row['sink']} is delivered by {by}, fed {since}."
    return f"{row['sink']} gets nothing {since}: {by} passes its events over."


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
    if row["waiting_for"]:
        return "waiting"
    return "delivering"


@relay.command("parked")
@click.option("--sink", type=click.Choice(SINKS), help="Only this sink's.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@click.option("--offset", type=click.IntRange(0), default=0, show_default=True)
@database_option
@json_option
def list_parked(*, sink: str | None, limit: int, offset: int, data_dir: Path | None, as_json: bool) -> None:
    """List events that a sink refused, newest first, with the reason."""
    with _connect(data_dir) as connection:
        rows = parked.list_parked(connection, sink=sink, limit=limit, offset=offset)
    if as_json:
        click.echo(json.dumps(rows, default=str))
        return
    if not rows:
        click.echo("Nothing is parked.")
        return
    table = Table("sink", "event id", "type", "conversation", "seq", "attempts", "parked at", "reason")
    for row in rows:
        waiting = " (replay requested)" if row["replay_requested_at"] else ""
        table.add_row(
            row["sink"],
            str(row["event_id"]),
            row["type"],
            str(row["conversation_id"]),
            str(row["seq"]),
            str(row["attempts"]),
            f"{row['parked_at']:%Y-%m-%d %H:%M:%S}Z",
            row["reason"] + waiting,
        )
    Console().print(table)


@relay.command()
@click.argument("event_ids", nargs=-1, type=click.UUID)
@click.option("--all", "everything", is_flag=True, help="Every parked event (of --sink, if given).")
@click.option("--sink", type=click.Choice(SINKS), help="Only for this sink.")
@database_option
@json_option
def replay(
    *, event_ids: tuple[UUID, ...], everything: bool, sink: str | None, data_dir: Path | None, as_json: bool
) -> None:
    """Have parked events delivered again: name EVENT_IDS, or say --all. The running bridge does it at once.

    Nothing to replay is no failure of --all; of an event that was named it is, and then exit code 1 says so.
    """
    if bool(event_ids) == everything:
        raise click.UsageError("Name the events to replay, or say --all.")
    with _connect(data_dir) as connection:
        requested = parked.request_replay(connection, sink=sink, event_ids=list(event_ids) or None)
    if event_ids and not requested:
        raise click.ClickException("No parked event matches; crossfade relay parked lists them.")
    if as_json:
        click.echo(json.dumps({"requested": requested}, default=str))
    elif requested:
        click.echo(f"{len(requested)} events will be delivered again; crossfade relay parked shows what is refused.")
    else:
        click.echo("Nothing is parked, so there is nothing to replay.")


def _connect(data_dir: Path | None) -> psycopg.Connection[dict[str, Any]]:
    return psycopg.connect(database_url(data_dir), autocommit=True, connect_timeout=5, row_factory=dict_row)
