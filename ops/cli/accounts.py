"""`crossfade accounts`: show and change what an account chose for itself."""

from pathlib import Path
from uuid import UUID

import click

from gateway.database import Connection
from gateway.domain.accounts import AccountSettings
from gateway.store import account as store
from ops.cli.options import database_option, json_option, open_database
from ops.errors import OpsError
from ops.terminal.output import say


class AccountsError(OpsError):
    """There is no such account."""


@click.group(short_help="Show and change what an account chose for itself.")
def accounts() -> None:
    """Show and change what an account chose for itself; over the API it is `/account`."""


@accounts.command()
@click.argument("account_id", type=click.UUID, metavar="ACCOUNT")
@database_option
@json_option
def show(*, account_id: UUID, data_dir: Path | None, as_json: bool) -> None:
    """Show an account's settings."""
    with open_database(data_dir) as connection:
        _tell(_get(connection, account_id), as_json=as_json)


@accounts.command("set")
@click.argument("account_id", type=click.UUID, metavar="ACCOUNT")
@click.option(
    "--content-html",
    type=click.Choice(["on", "off"]),
    required=True,
    help="Whether what people write goes out with its safe HTML form, on every way.",
)
@database_option
@json_option
def set_(*, account_id: UUID, content_html: str, data_dir: Path | None, as_json: bool) -> None:
    """Change an account's settings; it holds everywhere within a second."""
    with open_database(data_dir) as connection, connection.transaction():
        _get(connection, account_id)
        store.store(connection, account_id, content_html=content_html == "on")
        settings = _get(connection, account_id)
    _tell(settings, as_json=as_json)


def _get(connection: Connection, account_id: UUID) -> AccountSettings:
    found = store.find(connection, account_id)
    if found is None:
        raise AccountsError(f"There is no user {account_id}; an account is a row of auth.users.")
    return found


def _tell(settings: AccountSettings, *, as_json: bool) -> None:
    how = "with" if settings.content_html else "without"
    say(settings, f"Account {settings.id} is sent what people write {how} its safe HTML form.", as_json=as_json)
