"""`crossfade migrate`: bring the database in DATABASE_URL to the newest schema."""

import os

import click

from migrations.lock import WAIT_S
from migrations.upgrade import Step
from ops import migration
from ops.cli.options import note_database
from ops.terminal.output import Answer
from realtime_bridge.shared.environment import Environment
from realtime_bridge.shared.variables import database_url


@click.command()
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(0),
    default=WAIT_S,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for another migration of the same database.",
)
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
def migrate(*, wait_s: float, as_json: bool) -> None:
    """Bring the database in DATABASE_URL to the newest schema.

    Runs as the role in the URL, which need not be superuser; run again, it changes nothing. Works on a Supabase
    project as it is: Supabase's own objects are used, never created. Several at once are safe: one works, the others
    wait and then find nothing left to do. What a killed run left half built, the next one repairs.
    """
    url = database_url(Environment(os.environ))
    note_database("DATABASE_URL", url)
    step = migration.migrate(url, wait_s=wait_s, say=lambda line: click.echo(line, err=True))
    Answer({"migrated": True, "from": step.before, "to": step.after}, _sentence(step)).tell(as_json=as_json)


def _sentence(step: Step) -> str:
    if step.before is None:
        return f"The schema was made: version {step.after}."
    if step.before == step.after:
        return f"The schema is up to date: version {step.after}."
    return f"The schema was brought from version {step.before} to {step.after}."
