"""`crossfade rollout`: turn the dial, see where it stands and why, and read who turned it."""

from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import click

from ops.cli.options import again, database_option, json_option
from ops.cli.rollout import rules
from ops.cli.rollout import status as looks
from ops.cli.rollout.options import by_option, identify, run, why_option
from ops.cli.rollout.subjects import find_user
from ops.terminal.output import Column, encode, say, show
from realtime_bridge.rollout import changes, store
from realtime_bridge.rollout.changes import Wish
from realtime_bridge.rollout.dial import stages
from realtime_bridge.rollout.dial import store as dial_store
from realtime_bridge.rollout.dial.bucket import BUCKETS, bucket_of
from realtime_bridge.rollout.dial.decision import Decision
from realtime_bridge.rollout.dial.errors import ApprovalNeeded, StageRefused
from realtime_bridge.rollout.dial.stages import FLAG, StageName
from realtime_bridge.rollout.dial.store import Connection
from realtime_bridge.rollout.judgement import evaluate
from realtime_bridge.rollout.operators import Who

GATE_PASSED = "the gate has passed"
version_option = click.option(
    "--version", type=click.IntRange(1), help="Refuse if the dial has moved since this version (see status)."
)
force_option = click.option(
    "--force", is_flag=True, help="Go on although the gate has not passed, or no bridge follows; the audit says so."
)
leave_option = click.option(
    "--leave-behind",
    type=click.IntRange(1),
    default=None,
    help="For complete: cut off at most so many users who are left on legacy (see left).",
)


AUDIT_COLUMNS = (
    Column("at", "at"),
    Column("who", "actor"),
    Column("key", "key_id"),
    Column("what", "action"),
    Column("from", "from_stage"),
    Column("to", "to_stage"),
    Column("version", "version", right=True),
    Column("why", "why"),
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
@version_option
@force_option
@leave_option
@by_option
@database_option
@json_option
def set_stage(
    *,
    stage: str,
    why: str,
    version: int | None,
    force: bool,
    leave_behind: int | None,
    actor: str | None,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Turn the dial to a stage: one rung forward once the gate has passed, or any number back."""
    wanted = stages.parse(stage)
    _check_leaving(wanted, leave_behind)

    def wish(who: Who) -> Wish:
        return Wish(
            flag=FLAG,
            stage=wanted,
            by=who,
            why=why,
            version=version,
            is_forced=force,
            leave_behind=leave_behind or 0,
        )

    _turn(wish, actor, data_dir, as_json=as_json)


@rollout.command()
@why_option(GATE_PASSED)
@version_option
@force_option
@leave_option
@by_option
@database_option
@json_option
def advance(
    *,
    why: str,
    version: int | None,
    force: bool,
    leave_behind: int | None,
    actor: str | None,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Go to the next stage."""

    async def find_next(connection: Connection) -> tuple[stages.Stage, int]:
        dial = await store.get_dial(connection, FLAG)
        following = stages.next_stage(dial.stage)
        if following is None:
            raise StageRefused("The dial is at complete already; there is nothing above it.")
        return following, dial.version

    following, seen = run(data_dir, find_next)
    if force and why == GATE_PASSED:
        raise click.UsageError("Say --why the dial goes on without its gate.")
    if leave_behind and why == GATE_PASSED:
        raise click.UsageError("Say --why these users are left behind.")
    _check_leaving(following, leave_behind)

    def wish(who: Who) -> Wish:
        return Wish(
            flag=FLAG,
            stage=following,
            by=who,
            why=why,
            version=seen if version is None else version,
            action="advance",
            is_forced=force,
            leave_behind=leave_behind or 0,
        )

    _turn(wish, actor, data_dir, as_json=as_json)


@rollout.command(short_help="The kill switch: go back to off, or lower, at once.")
@click.argument("stage", metavar="[off|shadow|PERCENT]", default="off")
@why_option("kill switch")
@by_option
@database_option
@json_option
def rollback(*, stage: str, why: str, actor: str | None, data_dir: Path | None, as_json: bool) -> None:
    """The kill switch: go back to off (or to a lower stage) at once, whatever gates, plans and others say."""
    wanted = stages.parse(stage)
    if wanted.name is StageName.COMPLETE:
        raise click.UsageError("Going back leads to off, shadow or a percentage.")

    async def turn(connection: Connection) -> tuple[store.Dial, int | None]:
        who = await identify(connection, actor, is_needed=False)
        before = await store.get_dial(connection, FLAG)
        version = await changes.roll_back(connection, FLAG, by=who, why=why, stage=wanted)
        return before, version

    before, version = run(data_dir, turn)
    lost = looks.not_brought_back(data_dir, before) if version is not None else None
    if as_json:
        document = {"stage": wanted.label, "version": version, "changed": version is not None}
        click.echo(encode({**document, "notBroughtBack": lost}))
    elif version is None:
        where = wanted.label if wanted.name is StageName.OFF else f"{wanted.label} or below"
        click.echo(f"The dial is at {where} already; nothing was changed.")
    else:
        click.echo(f"Back at {wanted.label}, version {version}. Every process follows within a second.")
        if lost:
            click.echo(f"Not brought back: {lost}")


@rollout.command(short_help="Who changed what, when and why, newest first.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=30, show_default=True)
@database_option
@json_option
def audit(*, limit: int, data_dir: Path | None, as_json: bool) -> None:
    """Who changed what, when and why, newest first; --json also has the figures that decided."""
    rows = run(data_dir, lambda connection: store.list_audit(connection, FLAG, limit))
    show(rows, AUDIT_COLUMNS, as_json=as_json, empty="Nobody has turned the dial yet.")


@rollout.command(short_help="Say what USER (an id or e-mail address) is told now.")
@click.argument("name", metavar="USER")
@click.option("--account", help="The account the user chats in, for overrides of accounts.")
@database_option
@json_option
def bucket(*, name: str, account: str | None, data_dir: Path | None, as_json: bool) -> None:
    """Say what USER (an id or e-mail address) is told now, and from which percentage on it is Supabase."""

    async def read(connection: Connection) -> tuple[UUID, Decision]:
        user = await find_user(connection, name)
        chats_in = await find_user(connection, account) if account else UUID(int=0)
        return user, (await dial_store.get_reading(connection, FLAG)).decide(user, chats_in)

    user, decision = run(data_dir, read)
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


def _check_leaving(wanted: stages.Stage, leave_behind: int | None) -> None:
    if leave_behind and wanted != stages.COMPLETE:
        raise click.UsageError(f"--leave-behind is for complete; nobody is left behind at {wanted.label}.")


def _turn(wish: Callable[[Who], Wish], actor: str | None, data_dir: Path | None, *, as_json: bool) -> None:
    async def act(connection: Connection) -> tuple[Wish, int | str]:
        wanted = wish(await identify(connection, actor))
        judged = await evaluate(connection, FLAG)
        try:
            return wanted, await changes.turn(connection, wanted, judged.verdict)
        except ApprovalNeeded as reason:
            return wanted, str(reason)

    wanted, version = run(data_dir, act)
    if isinstance(version, str):
        say({"stage": wanted.stage.label, "waitsForApproval": True}, again(version), as_json=as_json)
        return
    document = {"stage": wanted.stage.label, "version": version}
    say(document, f"The dial is at {wanted.stage.label} now, version {version}.", as_json=as_json)


for command in (looks.status, looks.gate, looks.left, rules.policy, rules.plan, rules.approve, rules.override):
    rollout.add_command(command)
