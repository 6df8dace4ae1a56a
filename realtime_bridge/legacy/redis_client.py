"""Redis for the legacy side: bounded waits, and one try. Whether to repeat it is for the caller to decide."""

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

CONNECT_TIMEOUT_S = 1.0
BROKEN = (RedisError, OSError, TimeoutError)


def connect(redis_url: str, timeout_s: float) -> Redis:
    """Return a client that connects when it is used."""
    once = Retry(NoBackoff(), 0)
    return Redis.from_url(redis_url, socket_timeout=timeout_s, socket_connect_timeout=CONNECT_TIMEOUT_S, retry=once)
