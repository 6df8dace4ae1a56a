"""A mutation: a promise, the change of the product that breaks it, and the tests that must say so. Read from *.toml."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """`promise` begins a row of attacks.md, is a promise of the README, or is in words of our own."""

    promise: str
    file: str
    old: str
    """Stands exactly once in the file."""
    new: str
    tests: tuple[str, ...]
    """Names for pytest; each of them fails."""


def read_all() -> list[Mutation]:
    files = sorted(Path(__file__).parent.glob("*.toml"))
    return [_mutation(**fields) for file in files for fields in tomllib.loads(file.read_text())["mutation"]]


def _mutation(*, tests: list[str], **fields: Any) -> Mutation:
    return Mutation(tests=tuple(tests), **fields)
