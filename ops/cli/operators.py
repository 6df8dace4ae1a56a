"""`crossfade operators`: who may turn the dial, each known by a key. The only place where such a key is shown."""

import click

from ops.cli.answers import answers
from ops.cli.options import again
from ops.cli.rollout.options import by_option, identify, shown_once, why_option
from ops.terminal.output import Answer, Column, Rows, picked
from realtime_bridge.rollout import operators as store
from realtime_bridge.rollout import rules
from realtime_bridge.rollout.dial.errors import ApprovalNeeded
from realtime_bridge.rollout.dial.stages import FLAG
from realtime_bridge.rollout.dial.store import Connection
from realtime_bridge.rollout.store import get_dial

NOBODY = "There are no operators: whoever has the database may turn the dial, and says who he is."
SHOWN = ("name", "key_id", "created_by", "line_of", "created_at", "revoked_by", "revoked_at")
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
@answers
async def add(connection: Connection, *, name: str, actor: str | None) -> Answer:
    """Make a key for NAME and show it, once. The first needs nobody's key, every other one that of an operator.

    Where changes wait for a second operator this does, too, and the second one is shown the key.
    """
    who = await identify(connection, actor)
    try:
        key = await rules.add_operator(connection, FLAG, name, by=who)
    except ApprovalNeeded as reason:
        return Answer({"name": name, "waitsForApproval": True}, again(str(reason)))
    return Answer({"name": name, "keyId": store.id_of(key), "key": key}, shown_once(name, key))


@operators.command("list")
@answers
async def list_operators(connection: Connection) -> Answer:
    """Show who has a key, and who had one."""
    found = await store.list_all(connection)
    return Answer([picked(one, *SHOWN) for one in found], Rows(found, COLUMNS, NOBODY))


@operators.command()
@click.argument("name")
@click.option("--without-key", is_flag=True, help="When all keys are lost; the audit says so.")
@why_option()
@by_option
@answers
async def revoke(connection: Connection, *, name: str, without_key: bool, why: str, actor: str | None) -> Answer:
    """End the key of NAME at once."""
    who = await identify(connection, actor, is_needed=not without_key)
    key_id = await rules.revoke_operator(connection, FLAG, name, by=who, why=why, is_without_key=without_key)
    lines, dial, few = await store.lines(connection), await get_dial(connection, FLAG), ""
    if dial.needs_approval and not store.can_agree(lines):
        few = f" Operators left: {len(lines)}, too few for a second one to agree."
    if not lines:
        few += " Nobody has a key now: whoever reaches the database may turn the dial, under any name."
    document = {"name": name, "keyId": key_id, "operators": len(lines)}
    return Answer(document, f"The key {key_id} of {name} works no more.{few}")
