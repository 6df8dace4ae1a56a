"""`crossfade rollout`: turn the dial, see where it stands and why, and read who turned it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import click
from rich.console import Console

from ops.cli import rollout_rules as rules
from ops.cli.options import again, database_option, json_option
from ops.cli.output import Column, encode, moment, say, show
from ops.cli.rollout_options import by_option, run, why_option
from realtime_bridge.rollout import changes, guide, judging, keeper, stages, store
from realtime_bridge.rollout.bucket import BUCKETS, bucket_of
from realtime_bridge.rollout.changes import Wish
from realtime_bridge.rollout.errors import ApprovalNeeded, StageRefused
from realtime_bridge.rollout.guide import Situation
from realtime_bridge.rollout.stages import FLAG
from realtime_bridge.rollout.store import Connection

version_option = click.option(
    "--version", type=click.IntRange(1), help="Refuse if the dial has moved since this version (see status)."
)
force_option = click.option("--force", is_flag=True, help="Go on although the gate has not passed; the audit says so.")


GATE_COLUMNS = (
    Column("window", lambda row: f"{row[0].number} ({row[0].started_at:%H:%M:%S}-{row[0].ended_at:%H:%M:%S})"),
    Column("side", lambda row: row[1].side.value),
    Column("criterion", lambda row: row[1].criterion.value),
    Column("measured", lambda row: "-" if row[1].value is None else f"{row[1].value:.4g}", right=True),
    Column("allowed", lambda row: f"{row[1].limit:.4g}", right=True),
    Column("samples", lambda row: row[1].samples, right=True),
    Column("outcome", lambda row: row[1].outcome.value),
)
AUDIT_COLUMNS = (
    Column("at", "at"),
    Column("who", "actor"),
    Column("what", "action"),
    Column("from", "from_stage"),
    Column("to", "to_stage"),
    Column("version", "version", right=True),
    Column("why", "why"),
)


@click.group()
def rollout() -> None:
    """Move users from legacy to Supabase and back, one stage at a time.

    \b
    off → shadow → 10 → 25 → 50 → 75 → 100 → complete
    `status` says where you are, why, and what to type next.
    """  # noqa: D301  click's mark for "do not wrap" is a real backspace


@rollout.command()
@database_option
@json_option
def status(*, data_dir: Path | None, as_json: bool) -> None:
    """Say where the dial is, what that means, what the gate says, and the exact next command."""

    async def read(connection: Connection) -> tuple[Situation, dict[str, int]]:
        return await _situation(connection), await store.count_told(connection)

    at, told = run(data_dir, read)
    advice = guide.advise(at)
    if as_json:
        document = {**_described(at), "told": told, "advice": advice.sentence, "next": again(advice.command)}
        click.echo(encode(document))
        return
    console = Console(highlight=False, soft_wrap=True)
    by = f" by {at.dial.changed_by}" if at.dial.changed_by else ""
    console.print(f"[bold]{at.dial.stage.label}[/bold]  since {moment(at.dial.since)}{by}, version {at.dial.version}")
    console.print(guide.meaning(at.dial))
    if told:
        console.print(f"Told now: {', '.join(f'{count} {provider}' for provider, count in sorted(told.items()))}.")
    if at.plan and at.plan.state in ("running", "paused"):
        console.print(f"Plan ({at.plan.state}): {' '.join(at.plan.steps)}")
    console.print(f"Gate: {at.verdict.outcome}")
    for reason in [*at.verdict.reasons, *filter(None, [guide.progress(at)])]:
        console.print(f"  {reason}", markup=False)
    console.print(f"\n{advice.sentence}\n", markup=False)
    console.print(f"  {again(advice.command)}", style="bold", markup=False)


@rollout.command("set")
@click.argument("stage", metavar="off|shadow|PERCENT|complete")
@why_option()
@version_option
@force_option
@by_option
@database_option
@json_option
def set_stage(
    *, stage: str, why: str, version: int | None, force: bool, actor: str, data_dir: Path | None, as_json: bool
) -> None:
    """Turn the dial to a stage: one rung forward once the gate has passed, or any number back."""
    wish = Wish(flag=FLAG, stage=stages.parse(stage), actor=actor, why=why, version=version, is_forced=force)
    _turn(wish, data_dir, as_json=as_json)


@rollout.command()
@why_option("the gate has passed")
@version_option
@force_option
@by_option
@database_option
@json_option
def advance(*, why: str, version: int | None, force: bool, actor: str, data_dir: Path | None, as_json: bool) -> None:
    """Go to the next stage."""

    async def find_next(connection: Connection) -> tuple[stages.Stage, int]:
        dial = await store.get_dial(connection, FLAG)
        following = stages.next_stage(dial.stage)
        if following is None:
            raise StageRefused("The dial is at complete already; there is nothing above it.")
        return following, dial.version

    following, seen = run(data_dir, find_next)
    if force and why == "the gate has passed":
        raise click.UsageError("Say --why the dial goes on without its gate.")
    wish = Wish(
        flag=FLAG,
        stage=following,
        actor=actor,
        why=why,
        version=seen if version is None else version,
        action="advance",
        is_forced=force,
    )
    _turn(wish, data_dir, as_json=as_json)


@rollout.command()
@click.argument("stage", metavar="[off|shadow|PERCENT]", default="off")
@why_option("kill switch")
@by_option
@database_option
@json_option
def rollback(*, stage: str, why: str, actor: str, data_dir: Path | None, as_json: bool) -> None:
    """The kill switch: go back to off (or to a lower stage) at once, whatever gates, plans and others say."""
    wanted = stages.parse(stage)

    async def turn(connection: Connection) -> int | None:
        return await changes.roll_back(connection, FLAG, actor=actor, why=why, stage=wanted)

    version = run(data_dir, turn)
    if as_json:
        click.echo(encode({"stage": wanted.label, "version": version, "changed": version is not None}))
    elif version is None:
        click.echo(f"The dial is at {wanted.label} or below already; nothing was changed.")
    else:
        click.echo(f"Back at {wanted.label}, version {version}. Every process follows within a second.")


@rollout.command()
@database_option
@json_option
def gate(*, data_dir: Path | None, as_json: bool) -> None:
    """Show every figure that the gate decides by."""
    at = run(data_dir, _situation)
    if as_json:
        click.echo(encode({"stage": at.dial.stage.label, "policy": at.dial.policy, **at.verdict.figures()}))
        return
    console = Console(highlight=False)
    rows = [(window, finding) for window, findings in at.verdict.windows for finding in findings]
    show(rows, GATE_COLUMNS, as_json=False, empty="No window has been closed at this stage.")
    console.print(f"{at.dial.stage.label}: {at.verdict.outcome}")
    for reason in [*at.verdict.reasons, *filter(None, [guide.progress(at)])]:
        console.print(f"  {reason}", markup=False, soft_wrap=True)


@rollout.command()
@click.option("--limit", type=click.IntRange(1, 10_000), default=30, show_default=True)
@database_option
@json_option
def audit(*, limit: int, data_dir: Path | None, as_json: bool) -> None:
    """Who changed what, when and why, newest first; --json also has the figures that decided."""
    rows = run(data_dir, lambda connection: store.list_audit(connection, FLAG, limit))
    show(rows, AUDIT_COLUMNS, as_json=as_json, empty="Nobody has turned the dial yet.")


@rollout.command()
@click.argument("user", type=click.UUID)
@click.option("--account", type=click.UUID, help="The account the user chats in, for overrides of accounts.")
@database_option
@json_option
def bucket(*, user: UUID, account: UUID | None, data_dir: Path | None, as_json: bool) -> None:
    """Say what USER is told now, and from which percentage on it is Supabase."""
    reading = run(data_dir, lambda connection: store.get_reading(connection, FLAG))
    decision = reading.decide(user, account or UUID(int=0))
    number = bucket_of(FLAG, user)
    first = (number + 1) * 100 / BUCKETS
    document = {
        "user": str(user),
        "bucket": number,
        "supabaseFrom": first,
        "provider": decision.provider.value,
        "source": decision.source.value,
        "stage": decision.stage.label,
    }
    sentence = (
        f"{user} is in bucket {number} of {BUCKETS}: Supabase from {first:g} % on. "
        f"Told now: {decision.provider} (by {decision.source}, {decision.stage.label})."
    )
    say(document, sentence, as_json=as_json)


def _turn(wish: Wish, data_dir: Path | None, *, as_json: bool) -> None:
    async def act(connection: Connection) -> int:
        verdict, _ = await keeper.evaluate(connection, FLAG)
        return await changes.turn(connection, wish, verdict)

    try:
        version = run(data_dir, act)
    except ApprovalNeeded as reason:
        say({"stage": wish.stage.label, "waitsForApproval": True}, again(str(reason)), as_json=as_json)
        return
    document = {"stage": wish.stage.label, "version": version}
    say(document, f"The dial is at {wish.stage.label} now, version {version}.", as_json=as_json)


async def _situation(connection: Connection) -> Situation:
    verdict, dial = await keeper.evaluate(connection, FLAG)
    judge = await judging.find_keeper(connection, FLAG)
    return Situation(
        dial=dial,
        verdict=verdict,
        plan=await store.find_plan(connection, FLAG),
        request=await store.find_request(connection, FLAG),
        has_keeper=judge is not None,
        measuring=await keeper.find_open_window(connection, dial),
        now=datetime.now(UTC),
    )


def _described(at: Situation) -> dict[str, Any]:
    return {
        "flag": FLAG,
        "stage": at.dial.stage.label,
        "percentage": at.dial.stage.percentage,
        "version": at.dial.version,
        "since": at.dial.since,
        "changedBy": at.dial.changed_by,
        "meaning": guide.meaning(at.dial),
        "needsApproval": at.dial.needs_approval,
        "hasKeeper": at.has_keeper,
        "gate": {"outcome": at.verdict.outcome.value, "reasons": list(at.verdict.reasons)},
        "plan": at.plan,
        "waitsForApproval": at.request,
    }


for command in (rules.policy, rules.plan, rules.approve, rules.override):
    rollout.add_command(command)
