"""`crossfade operators`: who may turn the dial, each known by a key. The only place where such a key is shown."""

from pathlib import Path
from typing import Any

import click

from ops.cli.options import database_option, json_option
from ops.cli.output import Column, say, show
from ops.cli.rollout_options import by_option, identify, run, why_option
from realtime_bridge.rollout import changes
from realtime_bridge.rollout import operators as store
from realtime_bridge.rollout.operators import NEEDED, VARIABLE, Operator
from realtime_bridge.rollout.stages import FLAG
from realtime_bridge.rollout.store import Connection, get_dial

NOBODY = "There are no operators: whoever has the database may turn the dial, and says who he is."
COLUMNS = (
    Column("name", "name"),
    Column("key", "key_id"),
    Column("made by", "created_by"),
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
    """Make a key for NAME and show it, once. The first needs nobody's key, every other one that of an operator."""

    async def act(connection: Connection) -> str:
        return await changes.add_operator(connection, FLAG, name, by=await identify(connection, actor))

    key = run(data_dir, act)
    text = f"{key}\nThis is the only time the key of {name} is shown. It goes into {VARIABLE}."
    say({"name": name, "keyId": store.id_of(key), "key": key}, text, as_json=as_json)


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

    async def act(connection: Connection) -> tuple[str, int, bool]:
        who = await identify(connection, actor, is_needed=not without_key)
        key_id = await changes.revoke_operator(connection, FLAG, name, by=who, why=why)
        return key_id, await store.count(connection), (await get_dial(connection, FLAG)).needs_approval

    key_id, rest, needs_approval = run(data_dir, act)
    few = f" Operators left: {rest}, too few for a second one to agree." if needs_approval and rest < NEEDED else ""
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
        "createdAt": operator.created_at,
        "revokedBy": operator.revoked_by,
        "revokedAt": operator.revoked_at,
    }
