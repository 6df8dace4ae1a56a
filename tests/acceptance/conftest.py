"""One real stack for the tests of a module that only talk to it; tests that break things start their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.stack import Stack, open_place, running


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A running `crossfade up` with free ports: `stack.ready`, `stack.create_key()`, `stack.log(name)`."""
    with open_place() as place, running(place / "data") as started:
        yield started


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory for a test's own stack."""
    with open_place() as directory:
        yield directory
