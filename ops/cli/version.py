"""`crossfade version`: what is installed here, for a report of a problem."""

import importlib.metadata
import platform

import click

from ops.terminal.output import Answer


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
def version(*, as_json: bool) -> None:
    """Show the versions of Crossfade and of Python."""
    facts = {"crossfade": importlib.metadata.version("crossfade"), "python": platform.python_version()}
    Answer(facts, *(f"{name} {value}" for name, value in facts.items())).tell(as_json=as_json)
