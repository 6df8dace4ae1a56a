"""`crossfade version`: what is installed here, for a report of a problem."""

import importlib.metadata
import json
import platform

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
def version(*, as_json: bool) -> None:
    """Show the versions of Crossfade and of Python."""
    facts = {"crossfade": importlib.metadata.version("crossfade"), "python": platform.python_version()}
    click.echo(json.dumps(facts) if as_json else "\n".join(f"{name} {value}" for name, value in facts.items()))
