"""`crossfade migrate`: bring the database in DATABASE_URL to the newest schema."""

import json
import os

import click
from sqlalchemy.exc import DBAPIError

from migrations.upgrade import upgrade
from ops.errors import OpsError
from realtime_bridge.environment import Environment


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
def migrate(*, as_json: bool) -> None:
    """Bring the database in DATABASE_URL to the newest schema.

    Runs as the role in the URL, which need not be superuser; run again, it changes nothing. Works on a Supabase
    project as it is: Supabase's own objects are used, never created.
    """
    url = Environment(os.environ).url("DATABASE_URL", schemes=("postgresql", "postgres"))
    try:
        upgrade(url.replace("postgres://", "postgresql://", 1))
    except DBAPIError as error:  # its own text quotes the whole statement; the server's says what is wrong
        raise OpsError(str(error.orig)) from error
    click.echo(json.dumps({"migrated": True}) if as_json else "The schema is up to date.")
