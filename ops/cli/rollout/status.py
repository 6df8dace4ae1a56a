"""Looks of `crossfade rollout` at itself: status, gate, who is left. They read and never write."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import click

from ops.cli.answers import answers
from ops.cli.options import again
from ops.cli.rollout.options import watched
from ops.terminal.output import Answer, Column, Rows, moment, picked
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
BRIDGE = ("bridge", "provider", "sinks", "version", "started_at", "seen_at")
LEFT_COLUMNS = (
    Column("user", "user_id"),
    Column("e-mail", "email"),
    Column("sockets", "sockets", right=True),
    Column("last heard", lambda user: user.last_heard or "never"),
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
@watched
@answers
async def status(connection: Connection) -> Answer:
    """Say where the dial is, what is fed, who has moved, what the gate says, and the exact next command."""
    at = await read_situation(connection)
    advice = guide.advise(at)
    command = again(advice.command)
    by = f" by {at.dial.changed_by}" if at.dial.changed_by else ""
    since = f"  since {moment(at.dial.since)}{by}, version {at.dial.version}"
    sides = [f"  {_fed(at.sinks[side])}" for side in Side if side in at.sinks]
    processes = [f"  {_process(process)}" for process in at.following.processes]
    is_planned = at.plan and at.plan.state in ("running", "paused")
    plan = [f"Plan ({at.plan.state}): {' '.join(at.plan.steps)}"] if at.plan and is_planned else []
    return Answer(
        {**_described(at), "advice": advice.sentence, "next": command},
        click.style(at.dial.stage.label, bold=True) + since,
        guide.meaning(at),
        *(*sides, *processes, *_moved(at.adoption), *plan),
        guide.gate_line(at),
        *_reasons(at),
        f"\n{advice.sentence}\n",
        f"  {click.style(command, bold=True)}",
    )


@click.command()
@watched
@answers
async def gate(connection: Connection) -> Answer:
    """Show every figure that the gate decides by."""
    at = await read_situation(connection)
    word = guide.gate_word(at)
    parts: list[str | Rows] = []
    for window, findings in at.verdict.windows:
        parts.append(f"Window {window.number}, {window.started_at:%H:%M:%S}Z to {window.ended_at:%H:%M:%S}Z")
        parts.append(Rows(findings, GATE_COLUMNS))
    document = {"stage": at.dial.stage.label, "policy": at.dial.policy, **at.verdict.figures(), "outcome": word}
    return Answer(
        document,
        *(parts or ["No window has been closed at this stage."]),
        f"{at.dial.stage.label}: {word}",
        *_reasons(at),
    )


@click.command()
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@answers
async def left(connection: Connection, *, limit: int) -> Answer:
    """Say who is left on legacy, and would be cut off at complete."""
    found = await adoption.read(connection, FLAG, named=limit)
    complaint = (await following.read(connection, FLAG)).complaint
    figures = found.figures()
    lines = [f"That is by what was told and heard. {complaint}"] if complaint else []
    lines += [f"{adoption.people(found.left_count)} left on legacy."] if found.left else []
    return Answer(
        {name: figures[name] for name in ("left", "leftSockets", "leftUsers")} | {"complaint": complaint},
        Rows(found.left, LEFT_COLUMNS, "Nobody is left on legacy."),
        *lines,
    )


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


async def not_brought_back(connection: Connection, before: Dial) -> str | None:
    """Say what a way back from complete leaves as it is. Asked after it: a rollback waits for nobody who counts."""
    if before.stage.name is not StageName.COMPLETE:
        return None
    found = await _find_adoption(connection)
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


def _reasons(at: Situation) -> list[str]:
    return [f"  {reason}" for reason in filter(None, [*at.verdict.reasons, guide.progress(at)])]


def _moved(found: Adoption | None) -> Iterator[str]:
    """Say of each side who is there, and name some of those who are left."""
    if found is None:
        yield guide.UNKNOWN
        return
    for side in Side:
        yield f"Users on {side}: {_side(found.sides[side])}"
    if not found.left_count:
        return
    yield f"{adoption.people(found.left_count)} left on legacy:"
    for user in found.left[:NAMED]:
        heard = f", last heard {moment(user.last_heard)}" if user.last_heard else ""
        yield f"  {user.email or ''} {user.user_id}: {user.why}{heard}".replace("   ", "  ")
    if found.left_count > NAMED:
        yield f"  and {found.left_count - NAMED} more: {again('crossfade rollout left')}"


def _side(figures: SideFigures) -> str:
    heard = moment(figures.last_heard) if figures.last_heard else "never"
    connected = ""
    if figures.connected is not None:
        connected = f", {figures.connected} connected, with {adoption.sockets(figures.sockets or 0)}"
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
        "bridges": [picked(one, *BRIDGE) for one in at.following.bridges],
        "gateways": [
            {"gateway": process.bridge, **picked(process, "provider", "started_at")}
            for process in at.following.processes
            if process.is_gateway
        ],
        "sides": {
            side.value: {"isFed": at.is_fed(side), "by": state.held_by, "since": state.fed_since}
            for side, state in ((side, at.sinks[side]) for side in Side if side in at.sinks)
        },
        "gate": {"outcome": guide.gate_word(at), "reasons": at.verdict.reasons},
        "adoption": at.adoption.figures() if at.adoption else None,
        "plan": at.plan,
        "waitsForApproval": at.request,
    }
