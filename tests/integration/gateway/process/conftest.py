"""A gateway of three workers, and limits that nobody has used up."""

import time
from collections.abc import Callable, Iterator

import pytest
import redis

from tests.servers.gateway_server import GatewayServer, serve

LIST = "/api/v1/chat/conversations"
WORKERS = 3


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, gateway_url: str, limits_url: str) -> Iterator[GatewayServer]:
    directory = tmp_path_factory.mktemp("gateway")
    with serve(directory, gateway_url, limits_url, CROSSFADE_GATEWAY_WORKERS=str(WORKERS)) as server:
        server.wait_for("/readyz", 200)
        yield server


@pytest.fixture(autouse=True)
def _no_limits_used_up(limits_url: str) -> None:
    with redis.Redis.from_url(limits_url) as client:
        client.flushdb()


def until(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
