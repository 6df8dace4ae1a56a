"""One real stack for all acceptance tests that only talk to it; tests that break things start their own."""

from collections.abc import Iterator

import pytest

from tests.acceptance.stack import Stack, running


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running `crossfade up` with free ports: `stack.ready`, `stack.create_key()`, `stack.log(name)`."""
    with running(tmp_path_factory.mktemp("stack") / "data") as started:
        yield started
