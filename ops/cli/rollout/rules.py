"""Rules of `crossfade rollout`: gate settings, plans, second operators, overrides."""

from collections.abc import Callable
from dataclasses import asdict

import click

from ops.cli.answers import answers
from ops.cli.options import again, open_dial
from ops.cli.rollout.options import by_option, identify, shown_once, why_option
from ops.cli.rollout.subjects import find_user
from ops.terminal.output import Answer, Column, table
from realtime_bridge.rollout import changes, rules, store
from realtime_bridge.rollout.dial.decision import Kind
from realtime_bridge.rollout.dial.errors import ApprovalNeeded, RolloutError
from realtime_bridge.rollout.dial.stages import FLAG, StageName
from realtime_bridge.rollout.dial.store import Connection
from realtime_bridge.rollout.judgement import evaluate
from realtime_bridge.shared.variables import Told

OVERRIDE_COLUMNS = (
    Column("kind", "kind"),
    Column("subject", "subject"),
    Column("e-mail", "email"),
    Column("provider", "provider"),
    Column("why", "why"),
    Column("by", "created_by"),
    Column("at", "created_at"),
)


@click.command()
@click.argument("settings", nargs=-1, metavar="[NAME=VALUE]...")
@why_option("")
@by_option
@answers
async def policy(*, settings: tuple[str, ...], why: str, actor: str | None) -> Answer:
    """Show what the gate demands, or change it."""
    if settings and not why:
        raise click.UsageError("Say --why the gate is changed.")
    wanted = dict(_setting(word) for word in settings)
    async with open_dial() as connection:
        if wanted:
            who = await identify(connection, actor)
            await rules.set_policy(connection, FLAG, wanted, by=who, why=why)
        values = asdict((await store.get_dial(connection, FLAG)).policy)
    return Answer(values, *(f"{name}={value}" for name, value in values.items()))


@click.command(short_help="Let the dial go on by itself, in steps.")
@click.argument("steps", nargs=-1, metavar="STAGE[:TIME]...")
@click.option("--pause", "state", flag_value="paused", help="Stay where it is; the gate goes on judging.")
@click.option("--resume", "state", flag_value="running", help="Go on with a paused plan.")
@click.option("--stop", "state", flag_value="stopped", help="Give the plan up.")
@why_option("")
@by_option
@answers
async def plan(*, steps: tuple[str, ...], state: str | None, why: str, actor: str | None) -> Answer:
    """Let the dial go on by itself, such as `10:30m 25:1h 50:4h 75:12h 100`: gate passed and time over.

    Without arguments, show the plan.
    """
    if steps and state:
        raise click.UsageError("Give steps, or one of --pause, --resume and --stop.")
    if steps and not why:
        raise click.UsageError("Say --why, for the audit.")
    async with open_dial() as connection:
        if steps:
            who = await identify(connection, actor)
            await rules.start_plan(connection, FLAG, list(steps), by=who, why=why)
        elif state:
            who = await identify(connection, actor, is_needed=state == "running")
            await rules.set_plan_state(connection, FLAG, state, by=who, why=why)
        found = await store.find_plan(connection, FLAG)
    if found is None:
        return Answer(None, "There is no plan.")
    return Answer(found, f"{' '.join(found.steps)}: {found.state}, {found.reason} (by {found.created_by})")


@click.command(short_help="Agree, as a second operator, to the change that waits.")
@click.option("--on", "needed", flag_value=True, type=bool, default=None, help="From now on, forward needs a second.")
@click.option(
    "--off", "needed", flag_value=False, type=bool, help="No second operator is needed any more; one has to agree."
)
@click.option("--force", is_flag=True, help="Agree although a bridge does not follow; the audit says so.")
@why_option("")
@by_option
@answers
async def approve(*, needed: bool | None, force: bool, why: str, actor: str | None) -> Answer:
    """Agree, as a second operator, to the change that waits; or say with --on whether one is needed."""
    if (force or needed is not None) and not why:
        raise click.UsageError("Say --why, for the audit.")
    if force and needed is not None:
        raise click.UsageError("--force is for agreeing, and not for --on or --off.")
    async with open_dial() as connection:
        who = await identify(connection, actor)
        if needed is not None:
            try:
                await rules.set_needs_approval(connection, FLAG, needed=needed, why=why, by=who)
            except ApprovalNeeded as reason:
                return Answer({"needsApproval": True, "waits": str(reason)}, again(str(reason)))
            return Answer({"needsApproval": needed}, _second(needed=needed))
        judged = await evaluate(connection, FLAG)
        agreed = await changes.approve(connection, FLAG, verdict=judged.verdict, by=who, why=why, is_forced=force)
        dial = await store.get_dial(connection, FLAG)
    document = {"stage": dial.stage.label, "version": agreed.version, "needsApproval": dial.needs_approval}
    if agreed.key and agreed.request.operator:
        name = agreed.request.operator
        return Answer(document | {"name": name, "key": agreed.key}, shown_once(name, agreed.key))
    moved = f"The dial is at {dial.stage.label} now, version {agreed.version}."
    return Answer(document, moved if dial.needs_approval else _second(needed=False))


def _second(*, needed: bool) -> str:
    return f"Going forward {'needs' if needed else 'does not need'} a second operator."


OVERRIDDEN = {
    StageName.OFF: "will be told {provider} from shadow on; at off everybody is told legacy",
    StageName.SHADOW: "is told {provider}",
    StageName.RAMP: "is told {provider}",
    StageName.COMPLETE: "would be told {provider} below complete; now everybody is told Supabase",
}


def subject_arguments(command: Callable[..., None]) -> Callable[..., None]:
    kind = click.argument("kind", type=click.Choice([kind.value for kind in Kind]))
    return kind(click.argument("name", metavar="SUBJECT")(command))


@click.group(short_help="Tell single users or whole accounts a provider.")
def override() -> None:
    """Tell single users or whole accounts a provider, whatever their bucket. The user's wins over the account's."""


@override.command("add")
@subject_arguments
@click.argument("provider", type=click.Choice([told.value for told in Told]))
@why_option()
@by_option
@answers
async def add_override(
    connection: Connection, *, kind: str, name: str, provider: str, why: str, actor: str | None
) -> Answer:
    """Tell KIND (user or account) SUBJECT the PROVIDER. It works from shadow on, and not at complete.

    SUBJECT is an id or an e-mail address.
    """
    who = await identify(connection, actor)
    subject = await find_user(connection, name)
    await rules.put_override(connection, FLAG, Kind(kind), subject, Told(provider), by=who, why=why)
    stage = (await store.get_dial(connection, FLAG)).stage.name
    document = {"kind": kind, "subject": subject, "provider": provider}
    return Answer(document, f"{kind} {subject} {OVERRIDDEN[stage].format(provider=provider)}.")


@override.command("remove", short_help="Leave a user or an account to its bucket again.")
@subject_arguments
@why_option("no longer needed")
@by_option
@answers
async def remove_override(connection: Connection, *, kind: str, name: str, why: str, actor: str | None) -> Answer:
    """Leave KIND (user or account) SUBJECT, an id or an e-mail address, to the bucket again."""
    who = await identify(connection, actor)
    subject = await find_user(connection, name)
    if not await rules.delete_override(connection, FLAG, Kind(kind), subject, by=who, why=why):
        look = again("crossfade rollout override list")
        raise click.ClickException(f"There is no override of {kind} {subject}; see {look}.")
    return Answer({"kind": kind, "subject": subject}, f"{kind} {subject} is told what its bucket says.")


@override.command("list")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@answers
async def list_overrides(connection: Connection, *, limit: int) -> Answer:
    """List overrides, newest first."""
    rows = await store.describe_overrides(connection, FLAG, limit)
    return table(rows, OVERRIDE_COLUMNS, "There are no overrides.")


def _setting(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals:
        raise RolloutError(f"Write settings as NAME=VALUE, not {word!r}.")
    return name, value
