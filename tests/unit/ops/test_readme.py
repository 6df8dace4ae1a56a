"""The README against the code."""

import re
from pathlib import Path

from ops.cli import main as cli

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text()
VARIABLE = r"(?:CROSSFADE|SUPABASE|CHAT|DATABASE|REDIS)_[A-Z_]+"


def test_every_variable_that_is_read_is_explained() -> None:
    """The configuration table and the code name the same variables."""
    sources = [path for package in ("gateway", "realtime_bridge", "ops/cli") for path in (ROOT / package).rglob("*.py")]
    read = {name for path in sources for name in re.findall(rf'"({VARIABLE})"', path.read_text())}
    table = "\n".join(line for line in README.splitlines() if line.startswith("| `"))
    explained = set(re.findall(VARIABLE, table))
    assert read == explained


def test_every_command_that_is_shown_exists() -> None:
    """A command line of the README is one that `crossfade` knows."""
    shown = set(re.findall(r"(?:^|bin/)crossfade (\w+)", README, re.MULTILINE))
    assert shown
    assert shown <= set(cli.COMMANDS)


def test_every_link_leads_somewhere() -> None:
    """Links to files of the tree are not broken."""
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
