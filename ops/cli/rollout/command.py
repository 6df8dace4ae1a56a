"""`crossfade rollout`: turn the dial, see where it stands and why. And read who turned it."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import click

from ops.cli.answers import answers
from ops.cli.options import again, open_dial
from ops.cli.rollout import rules, status
from ops.cli.rollout.options import by_option, identify, why_option
from ops.cli.rollout.subjects import find_email, find_user
from ops.terminal.output import Answer, Column, table
from realtime_bridge.rollout import changes, store
from realtime_bridge.rollout.dial import stages
from realtime_bridge.rollout.dial import store as dial_store
from realtime_bridge.rollout.dial.bucket import BUCKETS, bucket_of
from realtime_bridge.rollout.dial.errors import ApprovalNeeded, RolloutError
from realtime_bridge.rollout.dial.stages import FLAG, StageName
from realtime_bridge.rollout.dial.store import Connection
from realtime_bridge.rollout.judgement import evaluate
from realtime_bridge.rollout.wishes import Wish

GATE_PASSED = "the gate has passed"


def turn_options(command: Callable[..., None]) -> Callable[..., None]:
    version = click.option(
        "--version", type=click.IntRange(1), help="Refuse if the dial has moved since this version (see status)."
    )
    force = click.option(
        "--force",
        "is_forced",
        is_flag=True,
        help="Go on although the gate has not passed, or no bridge follows; the audit says so.",
    )
    leave = click.option(
        "--leave-behind",
        type=click.IntRange(1),
        default=None,
        help="For complete: cut off at most so many users who are left on legacy (see left).",
    )
    return version(force(leave(by_option(command))))


def _left_behind(line: Mapping[str, Any]) -> str | None:
    """Say who was cut off by this turn to complete."""
    found = (line["figures"] or {}).get("adoption", {})
    if not found.get("left"):
        return None
    named = [user["email"] or user["userId"] for user in found["leftUsers"][: changes.SAID]]
    more = found["left"] - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


AUDIT_COLUMNS = (
    Column("at", "at"),
    Column("who", "actor"),
    Column("key", "key_id"),
    Column("what", "action"),
    Column("from", "from_stage"),
    Column("to", "to_stage"),
    Column("version", "version", right=True),
    Column("why", "why"),
    Column("left behind", _left_behind),
)


@click.group(short_help="Move users from legacy to Supabase and back, in stages.")
def rollout() -> None:
    """Move users from legacy to Supabase and back, one stage at a time.

    \b
    off → shadow → 10 → 25 → 50 → 75 → 100 → complete
    `status` says where you are, why, and what to type next.
    """  # noqa: D301  click's mark for "do not wrap" is a real backspace


@rollout.command("set", short_help="Turn the dial to a stage.")
@click.argument("stage", metavar="off|shadow|PERCENT|complete")
@why_option()
@turn_options
@answers
async def set_stage(*, stage: str, leave_behind: int | None, **wish: Any) -> Answer:
    """Turn the dial to a stage: one rung forward once the gate has passed, or any number back."""
    wanted = stages.parse(stage)
    _check_leaving(wanted, leave_behind)
    async with open_dial() as connection:
        return await _turn(connection, wanted, "set", leave_behind=leave_behind, **wish)


@rollout.command()
@why_option(GATE_PASSED)
@turn_options
@answers
async def advance(
    connection: Connection, *, version: int | None, why: str, is_forced: bool, leave_behind: int | None, **wish: Any
) -> Answer:
    """Go to the next stage."""
    dial = await store.get_dial(connection, FLAG)
    following = stages.next_stage(dial.stage)
    if following is None:
        raise RolloutError("The dial is at complete already; there is nothing above it.")
    if is_forced and why == GATE_PASSED:
        raise click.UsageError("Say --why the dial goes on without its gate.")
    if leave_behind and why == GATE_PASSED:
        raise click.UsageError("Say --why these users are left behind.")
    _check_leaving(following, leave_behind)
    wish |= {"version": version or dial.version, "why": why, "is_forced": is_forced, "leave_behind": leave_behind}
    return await _turn(connection, following, "advance", **wish)


@rollout.command(short_help="The kill switch: go back to off, or lower, at once.")
@click.argument("stage", metavar="[off|shadow|PERCENT]", default="off")
@why_option("kill switch")
@by_option
@answers
async def rollback(*, stage: str, why: str, actor: str | None) -> Answer:
    """The kill switch: go back to off (or to a lower stage) at once, whatever gates, plans and others say."""
    wanted = stages.parse(stage)
    if wanted.name is StageName.COMPLETE:
        raise click.UsageError("Going back leads to off, shadow or a percentage.")
    async with open_dial() as connection:
        who = await identify(connection, actor, is_needed=False)
        before = await store.get_dial(connection, FLAG)
        version = await changes.roll_back(connection, FLAG, by=who, why=why, stage=wanted)
        lost = await status.not_brought_back(connection, before) if version is not None else None
    where = wanted.label if wanted.name is StageName.OFF else f"{wanted.label} or below"
    lines = [f"The dial is at {where} already; nothing was changed."]
    if version is not None:
        lines = [f"Back at {wanted.label}, version {version}. Every process follows within a second."]
        lines += [f"Not brought back: {lost}"] if lost else []
    document = {"stage": wanted.label, "version": version, "changed": version is not None, "notBroughtBack": lost}
    return Answer(document, *lines)


@rollout.command(short_help="Who changed what, when and why, newest first.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=30, show_default=True)
@answers
async def audit(connection: Connection, *, limit: int) -> Answer:
    """Who changed what, when and why, newest first; --json also has the figures that decided."""
    return table(await store.list_audit(connection, FLAG, limit), AUDIT_COLUMNS, "Nobody has turned the dial yet.")


@rollout.command(short_help="Say what USER (an id or e-mail address) is told now.")
@click.argument("name", metavar="USER")
@click.option("--account", help="The account the user chats in, for overrides of accounts.")
@answers
async def bucket(connection: Connection, *, name: str, account: str | None) -> Answer:
    """Say what USER (an id or e-mail address) is told now, and from which percentage on it is Supabase."""
    user = await find_user(connection, name)
    chats_in = await find_user(connection, account) if account else UUID(int=0)
    decision = (await dial_store.get_reading(connection, FLAG)).decide(user, chats_in)
    number = bucket_of(FLAG, user)
    first = (number + 1) * 100 / BUCKETS
    email = await find_email(connection, user)
    document = {
        "user": user,
        "email": email,
        "bucket": number,
        "supabaseFrom": first,
        "provider": decision.provider,
        "source": decision.source,
        "stage": decision.stage.label,
    }
    return Answer(
        document,
        f"{f'{email} ({user})' if email else user} is in bucket {number} of {BUCKETS}: Supabase from {first:g} % on. "
        f"Told now: {decision.provider} (by {decision.source}, {decision.stage.label}).",
    )


def _check_leaving(wanted: stages.Stage, leave_behind: int | None) -> None:
    if leave_behind and wanted != stages.COMPLETE:
        raise click.UsageError(f"--leave-behind is for complete; nobody is left behind at {wanted.label}.")


async def _turn(
    connection: Connection,
    stage: stages.Stage,
    action: str,
    *,
    actor: str | None,
    leave_behind: int | None,
    **wish: Any,
) -> Answer:
    who = await identify(connection, actor)
    judged = await evaluate(connection, FLAG)
    wanted = Wish(flag=FLAG, stage=stage, by=who, action=action, leave_behind=leave_behind or 0, **wish)
    try:
        version = await changes.turn(connection, wanted, judged.verdict)
    except ApprovalNeeded as reason:
        return Answer({"stage": stage.label, "waitsForApproval": True}, again(str(reason)))
    return Answer({"stage": stage.label, "version": version}, f"The dial is at {stage.label} now, version {version}.")


for command in (status.status, status.gate, status.left, rules.policy, rules.plan, rules.approve, rules.override):
    rollout.add_command(command)
