"""Who may import whom: the walls that DESIGN and the tree promise."""

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from realtime_bridge.shared.sql import Statements

ROOT = Path(__file__).parents[2]
MAY_IMPORT = {
    "gateway": {"gateway", "realtime_bridge", "migrations"},  # readiness asks which version is the newest
    "realtime_bridge": {"realtime_bridge"},
    "migrations": {"migrations"},
    "ops": {"ops", "gateway", "realtime_bridge", "migrations"},
}
OURS = {*MAY_IMPORT, "tests"}
BORROWED = tuple(
    f"realtime_bridge.{name}"
    for name in (
        "shared.",
        "network.bind_addresses",
        "event_log.event.",
        "event_log.append.",
        "rollout.dial.",
        "webhooks.contract.",
        "wuzapi.channels.",
    )
)
MOST_IN_A_ROOM = 16
MOST_LINES = 250
MOST_WORDS = 12
NO_NOUNS = {"How", "Up", "What", "When", "Where", "Whether", "Which", "Who", "Whom", "Why"}
DRAWN = ("gateway", "realtime_bridge")
HEAD = """# The rooms

What imports what, drawn from the code by a test (`tests/unit/test_architecture.py`) that fails when it is no longer so.
An arrow that follows from others is left out: a room may also import what its rooms below import. There is no circle.
"""


def imports_of(file: Path) -> Iterator[str]:
    """Yield the dotted names of every import in `file`, wherever in the file it stands."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_packages_import_only_what_they_may(package: str) -> None:
    """The gateway may use the bridge's pure code, never the other way, and nobody imports the tests."""
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in modules(package)
        for name in imports_of(file)
        if name.split(".")[0] in OURS - MAY_IMPORT[package]
    ]
    assert wrong == []


def test_the_gateway_is_sync_and_the_bridge_is_async() -> None:
    """No event loop in the gateway, no Flask and no blocking HTTP client in the bridge."""
    for package, foreign in {"gateway": {"asyncio", "aiohttp"}, "realtime_bridge": {"flask", "requests"}}.items():
        used = {name.split(".")[0] for file in modules(package) for name in imports_of(file)}
        assert not used & foreign


@pytest.mark.parametrize("package", [*MAY_IMPORT, "tests"])
def test_rooms_stand_in_no_circle(package: str) -> None:
    """On each floor its files and its rooms, each as one, can be sorted so that none imports a later one."""
    for floor, graph in floors(package).items():
        while free := [name for name, wanted in graph.items() if not wanted & graph.keys()]:
            for name in free:
                del graph[name]
        assert graph == {}, floor


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_room_holds_what_one_can_survey(package: str) -> None:
    """Sixteen modules are as many as one looks through before one searches."""
    folders = {file.parent for file in modules(package)} - {ROOT / "migrations" / "versions"}
    counts = {folder: len([file for file in folder.glob("*.py") if file.stem != "__init__"]) for folder in folders}
    assert {str(folder.relative_to(ROOT)): count for folder, count in counts.items() if count > MOST_IN_A_ROOM} == {}


def test_a_module_is_read_in_one_sitting() -> None:
    """Migrations are as long as what they do: their text stays as it was when they ran."""
    lengths = {file: len(file.read_text().splitlines()) for package in MAY_IMPORT for file in modules(package)}
    long = {file for file, lines in lengths.items() if lines > MOST_LINES}
    assert {str(file.relative_to(ROOT)) for file in long if file.parent.name != "versions"} == set()


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_module_says_in_a_few_words_what_it_holds(package: str) -> None:
    """The first sentence of its docstring: a noun, and twelve words at most. Migrations say what they do."""
    wrong = []
    for file in modules(package):
        source = file.read_text()
        if not source.strip() or file.parent.name == "versions":
            continue
        words = re.split(r"(?<=[.!?])\s", ast.get_docstring(ast.parse(source)) or "")[0].split()
        if not 0 < len(words) <= MOST_WORDS or words[0] in NO_NOUNS:
            wrong.append(f"{file.relative_to(ROOT)}: {' '.join(words)}")
    assert wrong == []


def test_the_gateway_borrows_little_of_the_bridge() -> None:
    """What both sides of the log must say alike, and nothing that runs."""
    found = {name for file in modules("gateway") for name in imports_of(file) if name.startswith("realtime_bridge.")}
    assert {name for name in found if not name.startswith(BORROWED)} == set()


def test_the_rooms_are_drawn_as_they_are() -> None:
    """CROSSFADE_DRAW=1 draws them anew."""
    page = ROOT / "ops" / "runbooks" / "rooms.md"
    drawn = "\n".join([HEAD, *(f"## {package}\n\n{drawing(package)}" for package in DRAWN)])
    if os.environ.get("CROSSFADE_DRAW"):
        page.write_text(drawn)
    assert page.read_text() == drawn, "CROSSFADE_DRAW=1 draws the rooms anew"


def drawing(package: str) -> str:
    """Return the package's top floor for Mermaid: what its rooms import of each other, without what follows anyway."""
    graph = {name: {one for one in wanted if one != name} for name, wanted in floors(package)[package].items()}
    reached: dict[str, set[str]] = {}

    def reach(name: str) -> set[str]:
        if name not in reached:
            reached[name] = {further for one in graph.get(name, ()) for further in {one} | reach(one)}
        return reached[name]

    arrows = [
        f"    {name.removesuffix('.py')} --> {one.removesuffix('.py')}"
        for name, wanted in sorted(graph.items())
        for one in sorted(wanted)
        if not any(one in reach(other) for other in wanted - {one})
    ]
    return "\n".join(["```mermaid", "graph TD", *arrows, "```", ""])


def floors(package: str) -> dict[str, dict[str, set[str]]]:
    """Return, by folder, what each of its files and folders imports of its neighbours there."""
    known = {dotted(file): file for file in modules(package)}
    graphs: dict[str, dict[str, set[str]]] = {}
    for file in known.values():
        for name in imports_of(file):
            target = known.get(name) or known.get(name.rpartition(".")[0])
            if target is None:
                continue
            ours, theirs = file.relative_to(ROOT).parts, target.relative_to(ROOT).parts
            depth = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), None)
            if depth is not None:
                graph = graphs.setdefault("/".join(ours[:depth]), {})
                graph.setdefault(ours[depth], set()).add(theirs[depth])
    return graphs


def dotted(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("package", ["gateway", "realtime_bridge"])
def test_sql_files_and_modules_belong_together(package: str) -> None:
    """Every `.sql` file has the module of the same name beside it, and every query in it is used there."""
    for file in (ROOT / package).rglob("*.sql"):
        module = file.with_suffix(".py")
        assert module.exists(), file
        unused = [name for name in Statements(str(module)) if f'"{name}"' not in module.read_text()]
        assert unused == [], file


@pytest.mark.parametrize("package", ["gateway", "realtime_bridge", "ops"])
def test_modules_name_only_queries_that_there_are(package: str) -> None:
    """A query that a module asks for by name is in its `.sql` file."""
    named = [(file, name) for file in modules(package) for name in queries_of(file)]
    assert named
    assert [(file, name) for file, name in named if name not in Statements(str(file))] == []


def queries_of(file: Path) -> Iterator[str]:
    """Yield the names in `_SQL["name"]` and `_SQL.find_row(connection, "name", ...)`."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Subscript):
            loaded, name = node.value, node.slice
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and len(node.args) > 1:
            loaded, name = node.func.value, node.args[1]
        else:
            continue
        if isinstance(loaded, ast.Name) and loaded.id in ("_SQL", "_QUERIES"):
            yield from (str(one.value) for one in ast.walk(name) if isinstance(one, ast.Constant))
