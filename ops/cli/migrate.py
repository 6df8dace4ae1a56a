"""`crossfade migrate`: bring the database in DATABASE_URL to the newest schema."""

import os

import click

from ops import migration
from ops.cli.output import say
from realtime_bridge.environment import Environment
from realtime_bridge.shared_variables import database_url


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
def migrate(*, as_json: bool) -> None:
    """Bring the database in DATABASE_URL to the newest schema.

    Runs as the role in the URL, which need not be superuser; run again, it changes nothing. Works on a Supabase
    project as it is: Supabase's own objects are used, never created.
    """
    url = database_url(Environment(os.environ))
    migration.migrate(url)
    say({"migrated": True}, "The schema is up to date.", as_json=as_json)
