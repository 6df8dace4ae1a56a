"""`crossfade operators`: who may turn the dial, each known by a key. The only place where such a key is shown."""

from pathlib import Path
from typing import Any

import click

from ops.cli.options import again, database_option, json_option
from ops.cli.rollout.options import by_option, identify, run, shown_once, why_option
from ops.terminal.output import Column, say, show
from realtime_bridge.rollout import operators as store
from realtime_bridge.rollout import rules
from realtime_bridge.rollout.dial.errors import ApprovalNeeded
from realtime_bridge.rollout.dial.stages import FLAG
from realtime_bridge.rollout.dial.store import Connection
from realtime_bridge.rollout.operators import Operator
from realtime_bridge.rollout.store import get_dial

NOBODY = "There are no operators: whoever has the database may turn the dial, and says who he is."
COLUMNS = (
    Column("name", "name"),
    Column("key", "key_id"),
    Column("made by", "created_by"),
    Column("line of", "line_of"),
    Column("at", "created_at"),
    Column("state", lambda operator: f"revoked by {operator.revoked_by}" if operator.revoked_at else "works"),
)


@click.group()
def operators() -> None:
    """Say who turns the dial, so that two names are two people.

    Without operators whoever has the database says who he is. From the first one on every change but a rollback needs
    the key of one, in CROSSFADE_OPERATOR_KEY or typed when asked, and the audit names it.
    """


@operators.command()
@click.argument("name")
@by_option
@database_option
@json_option
def add(*, name: str, actor: str | None, data_dir: Path | None, as_json: bool) -> None:
    """Make a key for NAME and show it, once. The first needs nobody's key, every other one that of an operator.

    Where changes wait for a second operator this does, too, and the second one is shown the key.
    """

    async def act(connection: Connection) -> tuple[str, str]:
        who = await identify(connection, actor)
        try:
            return await rules.add_operator(connection, FLAG, name, by=who), ""
        except ApprovalNeeded as reason:
            return "", str(reason)

    key, waits = run(data_dir, act)
    if waits:
        say({"name": name, "waitsForApproval": True}, again(waits), as_json=as_json)
        return
    say({"name": name, "keyId": store.id_of(key), "key": key}, shown_once(name, key), as_json=as_json)


@operators.command("list")
@database_option
@json_option
def list_operators(*, data_dir: Path | None, as_json: bool) -> None:
    """Show who has a key, and who had one."""
    found = run(data_dir, store.list_all)
    document = [_described(operator) for operator in found]
    show(found, COLUMNS, as_json=as_json, document=document, empty=NOBODY)


@operators.command()
@click.argument("name")
@click.option("--without-key", is_flag=True, help="When all keys are lost; the audit says so.")
@why_option()
@by_option
@database_option
@json_option
def revoke(*, name: str, without_key: bool, why: str, actor: str | None, data_dir: Path | None, as_json: bool) -> None:
    """End the key of NAME at once."""

    async def act(connection: Connection) -> tuple[str, dict[str, int], bool]:
        who = await identify(connection, actor, is_needed=not without_key)
        key_id = await rules.revoke_operator(connection, FLAG, name, by=who, why=why, is_without_key=without_key)
        return key_id, await store.lines(connection), (await get_dial(connection, FLAG)).needs_approval

    key_id, lines, needs_approval = run(data_dir, act)
    is_short, rest = needs_approval and not store.can_agree(lines), len(lines)
    few = f" Operators left: {rest}, too few for a second one to agree." if is_short else ""
    if not rest:
        few += " Nobody has a key now: whoever reaches the database may turn the dial, under any name."
    say(
        {"name": name, "keyId": key_id, "operators": rest},
        f"The key {key_id} of {name} works no more.{few}",
        as_json=as_json,
    )


def _described(operator: Operator) -> dict[str, Any]:
    return {
        "name": operator.name,
        "keyId": operator.key_id,
        "createdBy": operator.created_by,
        "lineOf": operator.line_of,
        "createdAt": operator.created_at,
        "revokedBy": operator.revoked_by,
        "revokedAt": operator.revoked_at,
    }
