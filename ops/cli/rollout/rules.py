"""The rules of `crossfade rollout`: what the gate demands, plans, second operators, overrides."""

from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import UUID

import click

from ops.cli.options import again, database_option, json_option
from ops.cli.rollout.options import by_option, identify, run, shown_once, why_option
from ops.cli.rollout.subjects import find_user
from ops.terminal.output import Column, encode, say, show
from realtime_bridge.rollout import changes, rules, store
from realtime_bridge.rollout.dial.decision import Kind
from realtime_bridge.rollout.dial.errors import ApprovalNeeded, PolicyRefused
from realtime_bridge.rollout.dial.stages import FLAG, StageName
from realtime_bridge.rollout.dial.store import Connection
from realtime_bridge.rollout.gate.policy import Policy
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
@database_option
@json_option
def policy(*, settings: tuple[str, ...], why: str, actor: str | None, data_dir: Path | None, as_json: bool) -> None:
    """Show what the gate demands, or change it."""
    if settings and not why:
        raise click.UsageError("Say --why the gate is changed.")
    wanted = dict(_setting(word) for word in settings)

    async def act(connection: Connection) -> Policy:
        if wanted:
            who = await identify(connection, actor)
            return await rules.set_policy(connection, FLAG, wanted, by=who, why=why)
        return (await store.get_dial(connection, FLAG)).policy

    values = asdict(run(data_dir, act))
    say(values, "\n".join(f"{name}={value}" for name, value in values.items()), as_json=as_json)


@click.command(short_help="Let the dial go on by itself, in steps.")
@click.argument("steps", nargs=-1, metavar="STAGE[:TIME]...")
@click.option("--pause", "state", flag_value="paused", help="Stay where it is; the gate goes on judging.")
@click.option("--resume", "state", flag_value="running", help="Go on with a paused plan.")
@click.option("--stop", "state", flag_value="stopped", help="Give the plan up.")
@why_option("")
@by_option
@database_option
@json_option
def plan(
    *, steps: tuple[str, ...], state: str | None, why: str, actor: str | None, data_dir: Path | None, as_json: bool
) -> None:
    """Let the dial go on by itself, such as `10:30m 25:1h 50:4h 75:12h 100`: gate passed and time over.

    Without arguments, show the plan.
    """
    if steps and state:
        raise click.UsageError("Give steps, or one of --pause, --resume and --stop.")
    if steps and not why:
        raise click.UsageError("Say --why, for the audit.")

    async def act(connection: Connection) -> store.Plan | None:
        if steps:
            who = await identify(connection, actor)
            await rules.start_plan(connection, FLAG, list(steps), by=who, why=why)
        elif state:
            who = await identify(connection, actor, is_needed=state == "running")
            await rules.set_plan_state(connection, FLAG, state, by=who, why=why)
        return await store.find_plan(connection, FLAG)

    found = run(data_dir, act)
    if as_json:
        click.echo(encode(found))
    elif found is None:
        click.echo("There is no plan.")
    else:
        click.echo(f"{' '.join(found.steps)}: {found.state}, {found.reason} (by {found.created_by})")


@click.command(short_help="Agree, as a second operator, to the change that waits.")
@click.option("--on", "needed", flag_value=True, type=bool, default=None, help="From now on, forward needs a second.")
@click.option(
    "--off", "needed", flag_value=False, type=bool, help="No second operator is needed any more; one has to agree."
)
@click.option("--force", is_flag=True, help="Agree although a bridge does not follow; the audit says so.")
@why_option("")
@by_option
@database_option
@json_option
def approve(
    *, needed: bool | None, force: bool, why: str, actor: str | None, data_dir: Path | None, as_json: bool
) -> None:
    """Agree, as a second operator, to the change that waits; or say with --on whether one is needed."""
    if (force or needed is not None) and not why:
        raise click.UsageError("Say --why, for the audit.")
    if force and needed is not None:
        raise click.UsageError("--force is for agreeing, and not for --on or --off.")

    async def act(connection: Connection) -> dict[str, Any]:
        who = await identify(connection, actor)
        if needed is not None:
            try:
                await rules.set_needs_approval(connection, FLAG, needed=needed, why=why, by=who)
            except ApprovalNeeded as reason:
                return {"needsApproval": True, "waits": str(reason)}
            return {"needsApproval": needed}
        judged = await evaluate(connection, FLAG)
        agreed = await changes.approve(
            connection,
            FLAG,
            verdict=judged.verdict,
            by=who,
            why=why,
            is_forced=force,
        )
        dial = await store.get_dial(connection, FLAG)
        document = {"stage": dial.stage.label, "version": agreed.version, "needsApproval": dial.needs_approval}
        return document | ({"name": agreed.request.operator, "key": agreed.key} if agreed.key else {})

    result = run(data_dir, act)
    if as_json:
        click.echo(encode(result))
    elif "waits" in result:
        click.echo(again(result["waits"]))
    elif "key" in result:
        click.echo(shown_once(result["name"], result["key"]))
    elif "stage" in result and result["needsApproval"]:
        click.echo(f"The dial is at {result['stage']} now, version {result['version']}.")
    else:
        click.echo(f"Going forward {'needs' if result['needsApproval'] else 'does not need'} a second operator.")


OVERRIDDEN = {
    StageName.OFF: "will be told {provider} from shadow on; at off everybody is told legacy",
    StageName.SHADOW: "is told {provider}",
    StageName.RAMP: "is told {provider}",
    StageName.COMPLETE: "would be told {provider} below complete; now everybody is told Supabase",
}


@click.group(short_help="Tell single users or whole accounts a provider.")
def override() -> None:
    """Tell single users or whole accounts a provider, whatever their bucket. The user's wins over the account's."""


@override.command("add")
@click.argument("kind", type=click.Choice([kind.value for kind in Kind]))
@click.argument("name", metavar="SUBJECT")
@click.argument("provider", type=click.Choice([told.value for told in Told]))
@why_option()
@by_option
@database_option
@json_option
def add_override(
    *, kind: str, name: str, provider: str, why: str, actor: str | None, data_dir: Path | None, as_json: bool
) -> None:
    """Tell KIND (user or account) SUBJECT the PROVIDER. It works from shadow on, and not at complete.

    SUBJECT is an id or an e-mail address.
    """

    async def act(connection: Connection) -> tuple[UUID, StageName]:
        who = await identify(connection, actor)
        found = await find_user(connection, name)
        await rules.put_override(connection, FLAG, Kind(kind), found, Told(provider), by=who, why=why)
        return found, (await store.get_dial(connection, FLAG)).stage.name

    subject, stage = run(data_dir, act)
    say(
        {"kind": kind, "subject": str(subject), "provider": provider},
        f"{kind} {subject} {OVERRIDDEN[stage].format(provider=provider)}.",
        as_json=as_json,
    )


@override.command("remove", short_help="Leave a user or an account to its bucket again.")
@click.argument("kind", type=click.Choice([kind.value for kind in Kind]))
@click.argument("name", metavar="SUBJECT")
@why_option("no longer needed")
@by_option
@database_option
@json_option
def remove_override(*, kind: str, name: str, why: str, actor: str | None, data_dir: Path | None, as_json: bool) -> None:
    """Leave KIND (user or account) SUBJECT, an id or an e-mail address, to the bucket again."""

    async def act(connection: Connection) -> tuple[UUID, bool]:
        who = await identify(connection, actor)
        found = await find_user(connection, name)
        was_there = await rules.delete_override(connection, FLAG, Kind(kind), found, by=who, why=why)
        return found, was_there

    subject, was_there = run(data_dir, act)
    if not was_there:
        look = again("crossfade rollout override list")
        raise click.ClickException(f"There is no override of {kind} {subject}; see {look}.")
    say({"kind": kind, "subject": str(subject)}, f"{kind} {subject} is told what its bucket says.", as_json=as_json)


@override.command("list")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@database_option
@json_option
def list_overrides(*, limit: int, data_dir: Path | None, as_json: bool) -> None:
    """List overrides, newest first."""
    rows = run(data_dir, lambda connection: store.describe_overrides(connection, FLAG, limit))
    show(rows, OVERRIDE_COLUMNS, as_json=as_json, empty="There are no overrides.")


def _setting(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals:
        raise PolicyRefused(f"Write settings as NAME=VALUE, not {word!r}.")
    return name, value
