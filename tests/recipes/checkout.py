"""A copy of the product, changed by the recipes of `ops/runbooks/recipes.md` and by nothing else."""

import ast
import re
import shutil
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "ops" / "runbooks" / "recipes.md"
TRIAL = Path(__file__).parent / "trial"
STEP = re.compile(
    r"`(?P<made>[\w/.]+)`.+?line in `(?P<list>\w+)` of\s`(?P<file>[\w/.]+)`.+?```text\n(?P<code>.+?)```", re.DOTALL
)


class Recipe(NamedTuple):
    """`made` is the new file; `line` goes into the list of `file`, and needs `imported`."""

    made: str
    list: str
    file: str
    imported: str
    line: str


def recipe(heading: str) -> Recipe:
    """Read a recipe from the page: the new file, the list, and the line with its import."""
    section = PAGE.read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    step = STEP.search(section)
    assert step, f"the page says no longer how to make {heading}"
    imported, line = step["code"].splitlines()
    return Recipe(step["made"], step["list"], step["file"], imported, line)


class Checkout:
    """Gateway, bridge, commands and migrations in `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        for package in ("gateway", "realtime_bridge", "migrations", "ops"):
            shutil.copytree(ROOT / package, directory / package, ignore=shutil.ignore_patterns("__pycache__"))

    def follow(self, heading: str) -> None:
        """Make the new file, of which the test has one, and put the line into the list."""
        step = recipe(heading)
        made = self.directory / step.made
        made.parent.mkdir(exist_ok=True)
        made.write_text((TRIAL / made.name).read_text())
        file = self.directory / step.file
        lines = file.read_text().splitlines()
        last = _last_line_of(step.list, file)
        end = lines[last].rindex(lines[last].strip()[-1])
        lines[last] = f"{lines[last][:end]}{step.line}{lines[last][end:]}"
        lines.insert(next(n for n, line in enumerate(lines) if line.startswith("from ")), step.imported)
        file.write_text("\n".join(lines) + "\n")


def _last_line_of(name: str, file: Path) -> int:
    """Return the line, from 0, that closes a list of the module."""
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == name:
            assert node.end_lineno
            return node.end_lineno - 1
    raise AssertionError(f"{file} has no {name}")
