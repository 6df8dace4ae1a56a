"""The looks of `crossfade rollout` at itself: status, gate, and who is left. They read and never write."""

import contextlib
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from ops.cli.options import again, database_option, json_option
from ops.cli.rollout.options import look, run, watch_options
from ops.terminal.output import Column, encode, moment, show
from realtime_bridge.fleet import reports
from realtime_bridge.fleet.reports import ProcessState, SinkState
from realtime_bridge.rollout import adoption, following, guide, operators, store
from realtime_bridge.rollout.adoption import Adoption, SideFigures
from realtime_bridge.rollout.dial.errors import NotCounted
from realtime_bridge.rollout.dial.stages import FLAG, Side, StageName
from realtime_bridge.rollout.dial.store import Connection
from realtime_bridge.rollout.gate.findings import shown_values
from realtime_bridge.rollout.guide import Situation
from realtime_bridge.rollout.judgement import evaluate
from realtime_bridge.rollout.store import Dial

NAMED = 10  # of those who are left; `left` has them all
NOBODY_LEFT = "Nobody is left on legacy."
LEFT_COLUMNS = (
    Column("user", "user_id"),
    Column("e-mail", "email"),
    Column("sockets", "sockets", right=True),
    Column("last heard", lambda user: user.heard_at or "never"),
    Column("why", "why"),
)
GATE_COLUMNS = (
    Column("side", lambda finding: finding.side.value),
    Column("criterion", lambda finding: finding.criterion.value.replace("_", " ")),
    Column("measured", lambda finding: shown_values(finding)[0], right=True),
    Column("allowed", lambda finding: shown_values(finding)[1], right=True),
    Column("samples", "samples", right=True),
    Column("outcome", lambda finding: finding.outcome.value),
)


@click.command(short_help="Say where the dial is, why, and what to type next.")
@watch_options
@database_option
@json_option
def status(*, is_watching: bool, every_s: float, times: int | None, data_dir: Path | None, as_json: bool) -> None:
    """Say where the dial is, what is fed, who has moved, what the gate says, and the exact next command."""
    show = partial(_show_status, data_dir, as_json=as_json)
    look(show, is_watching=is_watching, every_s=every_s, times=times, as_json=as_json)


@click.command()
@watch_options
@database_option
@json_option
def gate(*, is_watching: bool, every_s: float, times: int | None, data_dir: Path | None, as_json: bool) -> None:
    """Show every figure that the gate decides by."""
    show = partial(_show_gate, data_dir, as_json=as_json)
    look(show, is_watching=is_watching, every_s=every_s, times=times, as_json=as_json)


@click.command()
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@database_option
@json_option
def left(*, limit: int, data_dir: Path | None, as_json: bool) -> None:
    """Say who is left on legacy, and would be cut off at complete."""

    async def act(connection: Connection) -> tuple[Adoption, str | None]:
        counted = await adoption.read(connection, FLAG, named=limit)
        return counted, (await following.read(connection, FLAG)).complaint

    found, complaint = run(data_dir, act)
    figures = found.figures()
    document = {name: figures[name] for name in ("left", "leftSockets", "leftUsers")} | {"complaint": complaint}
    show(found.left, LEFT_COLUMNS, as_json=as_json, empty=NOBODY_LEFT, document=document)
    if complaint and not as_json:
        click.echo(f"That is by what was told and heard. {complaint}")
    if found.left and not as_json:
        click.echo(f"{adoption.people(found.left_count)} left on legacy.")


async def read_situation(connection: Connection) -> Situation:
    judged = await evaluate(connection, FLAG)
    return Situation(
        dial=judged.dial,
        verdict=judged.verdict,
        plan=await store.find_plan(connection, FLAG),
        request=await store.find_request(connection, FLAG),
        following=await following.read(connection, FLAG),
        sinks={state.sink: state for state in await reports.list_sinks(connection)},
        adoption=await _find_adoption(connection),
        operators=await operators.lines(connection),
        measuring=judged.measuring,
        now=datetime.now(UTC),
    )


async def _find_adoption(connection: Connection) -> Adoption | None:
    with contextlib.suppress(NotCounted):
        return await adoption.read(connection, FLAG)
    return None


def not_brought_back(data_dir: Path | None, before: Dial) -> str | None:
    """Say what a way back from complete leaves as it is. Asked after it: a rollback waits for nobody who counts."""
    if before.stage.name is not StageName.COMPLETE:
        return None
    found = run(data_dir, _find_adoption)
    text = (
        f"what was written since {moment(before.since)}, while legacy was not fed; clients fetch it by seq "
        "(afterSeq of subscribe:conversation, after_seq, /events)."
    )
    if found is None:
        return f"{text} {guide.UNKNOWN}"
    if found.away:
        text += (
            f" {adoption.people(found.away)} left without an open socket: an old client comes back when it is opened "
            f"again. {again('crossfade rollout left')} names them."
        )
    return text


def _show_status(data_dir: Path | None, *, as_json: bool) -> None:
    at = run(data_dir, read_situation)
    advice = guide.advise(at)
    command = again(advice.command)
    if as_json:
        click.echo(encode({**_described(at), "advice": advice.sentence, "next": command}))
        return
    console = Console(highlight=False, soft_wrap=True)
    by = f" by {at.dial.changed_by}" if at.dial.changed_by else ""
    console.print(f"[bold]{at.dial.stage.label}[/bold]  since {moment(at.dial.since)}{by}, version {at.dial.version}")
    console.print(guide.meaning(at), markup=False)
    for side in Side:
        if state := at.sinks.get(side):
            console.print(f"  {_fed(state)}", markup=False)
    for process in at.following.processes:
        console.print(f"  {_process(process)}", markup=False)
    _print_adoption(console, at.adoption)
    if at.plan and at.plan.state in ("running", "paused"):
        console.print(f"Plan ({at.plan.state}): {' '.join(at.plan.steps)}")
    console.print(guide.gate_line(at), markup=False)
    for reason in [*at.verdict.reasons, *filter(None, [guide.progress(at)])]:
        console.print(f"  {reason}", markup=False)
    console.print(f"\n{advice.sentence}\n", markup=False)
    console.print(f"  {command}", style="bold", markup=False)


def _print_adoption(console: Console, found: Adoption | None) -> None:
    if found is None:
        console.print(guide.UNKNOWN, markup=False)
        return
    for side in Side:
        console.print(f"Users on {side}: {_side(found.sides[side])}", markup=False)
    if not found.left_count:
        return
    console.print(f"{adoption.people(found.left_count)} left on legacy:", markup=False)
    for user in found.left[:NAMED]:
        heard = f", last heard {moment(user.heard_at)}" if user.heard_at else ""
        console.print(f"  {user.email or ''} {user.user_id}: {user.why}{heard}".replace("   ", "  "), markup=False)
    if found.left_count > NAMED:
        console.print(f"  and {found.left_count - NAMED} more: {again('crossfade rollout left')}", markup=False)


def _side(figures: SideFigures) -> str:
    heard = moment(figures.last_heard) if figures.last_heard else "never"
    connected = ""
    if figures.connected is not None:
        connected = f", {figures.connected} connected with {adoption.sockets(figures.sockets or 0)}"
        connected += f" ({figures.moved} of them the standby of who was told Supabase)" if figures.moved else ""
    return f"{figures.told} told, {figures.asked} asked since the last change{connected}; last heard {heard}."


def _fed(state: SinkState) -> str:
    """Say of a side who delivers it, and since when it gets what it gets."""
    since = f" since {moment(state.fed_since)}" if state.fed_since else ""
    if state.held_by is None:
        return f"{state.sink}: no bridge delivers it"
    return f"{state.sink}: {'fed' if state.is_delivered else 'not fed'}{since}, by {state.held_by}"


def _process(process: ProcessState) -> str:
    if process.is_gateway:
        return f"Gateway {process.bridge}: CHAT_REALTIME_PROVIDER={process.provider}"
    fed = ", ".join(process.feeds) or "nothing"
    return f"Bridge {process.bridge}: CHAT_REALTIME_PROVIDER={process.provider}, feeds {fed}"


def _show_gate(data_dir: Path | None, *, as_json: bool) -> None:
    at = run(data_dir, read_situation)
    if as_json:
        figures = {**at.verdict.figures(), "outcome": guide.gate_word(at)}
        click.echo(encode({"stage": at.dial.stage.label, "policy": at.dial.policy, **figures}))
        return
    for window, findings in at.verdict.windows:
        click.echo(f"Window {window.number}, {window.started_at:%H:%M:%S}Z to {window.ended_at:%H:%M:%S}Z")
        show(findings, GATE_COLUMNS, as_json=False)
    if not at.verdict.windows:
        click.echo("No window has been closed at this stage.")
    click.echo(f"{at.dial.stage.label}: {guide.gate_word(at)}")
    for reason in [*at.verdict.reasons, *filter(None, [guide.progress(at)])]:
        click.echo(f"  {reason}")


def _described(at: Situation) -> dict[str, Any]:
    return {
        "flag": FLAG,
        "stage": at.dial.stage.label,
        "percentage": at.dial.stage.percentage,
        "version": at.dial.version,
        "since": at.dial.since,
        "changedBy": at.dial.changed_by,
        "meaning": guide.meaning(at),
        "needsApproval": at.dial.needs_approval,
        "operators": len(at.operators),
        "hasKeeper": at.following.has_keeper,
        "isFollowed": at.following.complaint is None,
        "bridges": [_described_bridge(bridge) for bridge in at.following.bridges],
        "gateways": [
            {"gateway": process.bridge, "provider": process.provider, "startedAt": process.started_at}
            for process in at.following.processes
            if process.is_gateway
        ],
        "sides": {
            side.value: {"isFed": at.is_fed(side), "by": state.held_by, "since": state.fed_since}
            for side, state in ((side, at.sinks[side]) for side in Side if side in at.sinks)
        },
        "gate": {
            "outcome": guide.gate_word(at),
            "reasons": list(at.verdict.reasons),
        },
        "adoption": at.adoption.figures() if at.adoption else None,
        "plan": at.plan,
        "waitsForApproval": at.request,
    }


def _described_bridge(bridge: ProcessState) -> dict[str, Any]:
    return {
        "bridge": bridge.bridge,
        "provider": bridge.provider,
        "sinks": dict(bridge.sinks),
        "version": bridge.version,
        "startedAt": bridge.started_at,
        "seenAt": bridge.seen_at,
    }
