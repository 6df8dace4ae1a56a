"""`crossfade accounts`: show and change what an account chose for itself."""

from uuid import UUID

import click

from gateway.database import Connection
from gateway.store import account as store
from ops.cli.answers import answers
from ops.errors import NoAccount
from ops.terminal.output import Answer


@click.group(short_help="Show and change what an account chose for itself.")
def accounts() -> None:
    """Show and change what an account chose for itself; over the API it is `/account`."""


@accounts.command()
@click.argument("account_id", type=click.UUID, metavar="ACCOUNT")
@answers
def show(connection: Connection, *, account_id: UUID) -> Answer:
    """Show an account's settings."""
    return _shown(connection, account_id)


@accounts.command("set")
@click.argument("account_id", type=click.UUID, metavar="ACCOUNT")
@click.option(
    "--content-html",
    type=click.Choice(["on", "off"]),
    required=True,
    help="Whether what people write goes out with its safe HTML form, on every way.",
)
@answers
def set_(connection: Connection, *, account_id: UUID, content_html: str) -> Answer:
    """Change an account's settings; it holds everywhere within a second."""
    with connection.transaction():
        _shown(connection, account_id)  # for whom there is none, nothing is stored
        store.store(connection, account_id, content_html=content_html == "on")
        return _shown(connection, account_id)


def _shown(connection: Connection, account_id: UUID) -> Answer:
    settings = store.find(connection, account_id)
    if settings is None:
        raise NoAccount(account_id)
    how = "with" if settings.content_html else "without"
    return Answer(settings, f"Account {account_id} is sent what people write {how} its safe HTML form.")
