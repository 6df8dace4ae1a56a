"""Who may import whom within the gateway."""

import ast
from pathlib import Path

import pytest

import gateway

ROOT = Path(gateway.__file__).parent
FORBIDDEN = {
    "store": ("flask", "gateway.v1", "gateway.services", "gateway.gates"),
    "services": ("flask", "gateway.v1", "gateway.gates"),
    "gates": ("gateway.v1", "gateway.services"),
    "v1": ("gateway.store", "psycopg"),
}


@pytest.mark.parametrize("floor", FORBIDDEN)
def test_a_floor_does_not_look_upstairs(floor: str) -> None:
    """HTTP stays in v1 and the gates, SQL in the store; services join them."""
    for file in (ROOT / floor).glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                assert not name.startswith(FORBIDDEN[floor]), f"{file.name} imports {name}"
