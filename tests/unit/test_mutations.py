"""The list of mutations: each can be made, its tests are there, and no promise goes without one."""

import ast
import re

import pytest

from tests.mutations.copied import ROOT
from tests.mutations.mutation import Mutation, read_all

MUTATIONS = read_all()
PROMISES = {mutation.promise for mutation in MUTATIONS}


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: f"{mutation.file}: {mutation.promise}")
def test_it_can_be_made_and_its_tests_are_there(mutation: Mutation) -> None:
    """Its text stands exactly once; what moves or changes takes its mutation along."""
    assert (ROOT / mutation.file).read_text().count(mutation.old) == 1
    assert mutation.new != mutation.old
    for test in mutation.tests:
        file, _, name = test.partition("::")
        assert name.partition("[")[0] in _functions(file) | {""}, test


def test_every_attack_has_one() -> None:
    """A row of attacks.md is a promise, and says by its beginning which."""
    rows = re.findall(r"^\| (.+?) \|", (ROOT / "ops" / "runbooks" / "attacks.md").read_text(), re.MULTILINE)
    attacks = [row for row in rows if row not in ("attack", "---")]
    assert len(attacks) > 50
    assert [attack for attack in attacks if not attack.startswith(tuple(PROMISES))] == []


def test_every_promise_of_the_readme_has_one() -> None:
    said = (ROOT / "README.md").read_text().partition("What it promises:\n")[2].partition("\n## ")[0]
    promises = {promise.rstrip(".") for promise in re.findall(r"^- \*\*(.+?)\*\*", said, re.MULTILINE)}
    assert len(promises) > 4
    assert promises - PROMISES == set()


def _functions(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
