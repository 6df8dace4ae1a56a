"""The README against the code."""

import re
from pathlib import Path

from gateway.app import ROUTES
from ops.cli import main as cli
from tests.clients.documented import programs

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


def test_the_tree_names_every_folder() -> None:
    """Each package's folders, and no folder that is gone."""
    tree = README.partition("## The tree")[2].partition("```\n")[2].partition("```")[0]
    packages = [Path(line.split("/")[0]) for line in tree.splitlines() if not line.startswith(" ")]
    real = {path.name for package in packages for path in (ROOT / package).iterdir() if _has_content(path)}
    drawn = {
        word for line in tree.splitlines() if line.startswith("  ") for word in re.findall(r"\b(\w+)/(?=\s)", line)
    }
    assert drawn == real - {"versions"}
    assert [str(package) for package in packages] == ["gateway", "realtime_bridge", "migrations", "ops", "tests"]


def _has_content(path: Path) -> bool:
    return path.is_dir() and any(child.name != "__pycache__" for child in path.iterdir()) and path.name != "__pycache__"


def test_what_is_said_of_opening_a_client_is_what_the_clients_do() -> None:
    """A call in the words of README, OpenAPI document and runbooks stands in the README's clients, which tests run."""
    texts = [README, *(path.read_text() for path in (ROOT / "ops").rglob("*.md"))]
    texts += [route.description for route in ROUTES]
    words = (re.sub(r"```.*?```", "", text, flags=re.DOTALL) for text in texts)
    said = {call for text in words for call in re.findall(r"`([^`]*(?:\bio|Client|[aA]uth|emit\w*)\([^`]*\))`", text)}
    assert "createClient(url, publicKey, { accessToken })" in said
    assert {call for call in said if not any(call in program for program in programs().values())} == set()
