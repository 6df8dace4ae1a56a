"""Who may import whom: the walls that DESIGN and the tree promise."""

import ast
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


def imports_of(file: Path) -> Iterator[str]:
    """Yield the dotted names of every import in `file`, wherever in the file it stands."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


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


@pytest.mark.parametrize("package", ["gateway", "realtime_bridge"])
def test_there_are_no_import_circles(package: str) -> None:
    """Modules of a package can be sorted so that each imports only earlier ones."""
    graph = {
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): set(imports_of(file))
        for file in modules(package)
    }
    graph = {name: {i for i in found if i in graph and i != name} for name, found in graph.items()}
    while free := [name for name, wanted in graph.items() if not wanted & graph.keys()]:
        for name in free:
            del graph[name]
    assert graph == {}


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
