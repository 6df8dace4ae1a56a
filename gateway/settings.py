"""What the gateway is told by its environment. Read once, by gunicorn's configuration and by each worker."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from realtime_bridge.environment import Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Frozen; `from_env` raises ConfigurationError with one sentence that names the variable."""

    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 2  # more than one, so that a stuck worker is not an outage
    threads: int = 8  # two workers of eight answered 1,711 messages/s on two cores; more only queue for the database
    pool_size: int = 8  # per worker: one connection per thread; one more listens for changed keys
    rate_limit_per_min: int = 100
    send_limit_per_min: int = 60
    failed_auth_per_min: int = 30
    max_body_bytes: int = 65_536
    trusted_proxies: int = 0
    log_level: str = "INFO"
    log_format: str = "json"

    @classmethod
    def from_env(cls, variables: Mapping[str, str]) -> Self:
        env = Environment(variables)
        threads = env.integer("CROSSFADE_GATEWAY_THREADS", default=8, minimum=1, maximum=256)
        return cls(
            database_url=env.url("DATABASE_URL", schemes=("postgresql", "postgres")),
            redis_url=env.url("REDIS_URL", schemes=("redis", "rediss", "unix")),
            host=env.text("CROSSFADE_GATEWAY_HOST", default="127.0.0.1"),
            port=env.integer("CROSSFADE_GATEWAY_PORT", default=8000, minimum=0, maximum=65_535),
            workers=env.integer("CROSSFADE_GATEWAY_WORKERS", default=2, minimum=1, maximum=64),
            threads=threads,
            pool_size=env.integer("CROSSFADE_DB_POOL_SIZE", default=threads, minimum=1, maximum=256),
            rate_limit_per_min=env.integer("CROSSFADE_RATE_LIMIT_PER_MIN", default=100, minimum=1, maximum=100_000),
            send_limit_per_min=env.integer("CROSSFADE_SEND_LIMIT_PER_MIN", default=60, minimum=1, maximum=100_000),
            failed_auth_per_min=env.integer("CROSSFADE_FAILED_AUTH_PER_MIN", default=30, minimum=1, maximum=10_000),
            max_body_bytes=env.integer("CROSSFADE_MAX_BODY_BYTES", default=65_536, minimum=1_024, maximum=16_777_216),
            trusted_proxies=env.integer("CROSSFADE_TRUSTED_PROXIES", default=0, minimum=0, maximum=10),
            log_level=env.log_level(),
            log_format=env.log_format(),
        )
