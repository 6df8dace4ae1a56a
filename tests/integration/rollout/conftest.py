"""A bridge with legacy sockets that reports, and clients of it."""

from collections.abc import Iterator

import pytest

from tests.integration.legacy.clients import Clients
from tests.integration.legacy.harness import Bridge
from tests.integration.rollout.reporting import Reporting


@pytest.fixture
def reporting(database_url: str) -> Iterator[tuple[Bridge, Reporting]]:
    bridge = Bridge(database_url).start()
    reporting = Reporting(bridge, database_url)
    yield bridge, reporting
    reporting.close()
    bridge.stop()


@pytest.fixture
def clients() -> Iterator[Clients]:
    with Clients() as clients:
        yield clients
