"""Settings of the gateway, read from its environment once. By gunicorn's configuration and by each worker."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Self

from gateway.storage.base import FileStore
from gateway.storage.directory import DirectoryStore
from gateway.storage.supabase import SupabaseStore
from realtime_bridge.shared import variables as shared
from realtime_bridge.shared.environment import Environment, reading
from realtime_bridge.shared.secrets import SecretBox
from realtime_bridge.shared.signing_key import SigningKey
from realtime_bridge.shared.tokens import NO_RULES, TokenRules
from realtime_bridge.shared.variables import Provider
from realtime_bridge.webhooks.contract.urls import UrlPolicy
from realtime_bridge.wuzapi.channels import allowed_servers

LOOPBACK = ("127.0.0.1", "localhost", "::1")
MAX_PER_MIN = 100_000  # the window of a limit is a list of that length in Redis
KEYS_IN_FULL = 10  # an account may do what ten of its keys may: more than one backend needs, and no flood


class StorageKind(StrEnum):
    """`directory` is for one machine; `supabase` is a private bucket of the project; `off` answers 501."""

    OFF = "off"
    DIRECTORY = "directory"
    SUPABASE = "supabase"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Frozen; `from_env` raises ConfigurationError with a sentence for each variable that is wrong."""

    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    host: str = "127.0.0.1"
    port: int = 8000
    public_url: str = "http://127.0.0.1:8000"  # where clients reach the gateway; no slash at its end
    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = None  # nowhere, unless the operator says where
    workers: int = 2  # more than one, so that a stuck worker is not an outage
    threads: int = 8  # two workers of eight answered 1,711 messages/s on two cores; more only queue for the database
    pool_size: int = 8  # per worker: one connection per thread; one more listens for changed keys
    rate_limit_per_min: int = 100
    send_limit_per_min: int = 60
    account_rate_limit_per_min: int = 1_000
    account_send_limit_per_min: int = 600
    new_keys_per_hour: int = 60  # enough to rotate every key of a large account in a day, too few to flee from a limit
    failed_auth_per_min: int = 30
    max_body_bytes: int = 65_536
    request_timeout_s: float = 10.0  # to arrive; a phone on a bad line needs one for what is not an upload
    trusted_proxies: int = 0
    provider: Provider = Provider.DUAL
    flag_provider: str | None = None
    supabase_url: str | None = None
    supabase_public_key: str | None = None
    legacy_url: str | None = None  # where clients reach the legacy side, if they do not know
    signing_key: SigningKey | None = field(default=None, repr=False)  # of the tokens of realtime sessions
    token_rules: TokenRules = NO_RULES
    session_ttl_s: int = 900
    secrets: SecretBox | None = field(default=None, repr=False)
    webhook_urls: UrlPolicy = field(default_factory=UrlPolicy)
    max_waiters: int = 512  # consumers in a long poll, per worker; each is a thread asleep, about 50 kB
    cors_origins: tuple[str, ...] = ()
    env: str = "live"
    files: FileStore | None = field(default=None, repr=False)
    wuzapi_servers: frozenset[str] = frozenset()
    listen_fds: Mapping[int, int] = field(default_factory=dict)
    log_level: str = "INFO"
    log_format: str = "json"

    @classmethod
    def from_env(cls, variables: Mapping[str, str]) -> Self:
        with reading(variables) as env:
            return cls.read(env)

    @classmethod
    def read(cls, env: Environment) -> Self:
        threads = env.integer("CROSSFADE_GATEWAY_THREADS", default=8, minimum=1, maximum=256)
        requests = _per_min(env, "CROSSFADE_RATE_LIMIT_PER_MIN", default=100)
        sends = _per_min(env, "CROSSFADE_SEND_LIMIT_PER_MIN", default=60)
        host = env.text("CROSSFADE_GATEWAY_HOST", default="127.0.0.1")
        port = env.integer("CROSSFADE_GATEWAY_PORT", default=8000, minimum=0, maximum=65_535)
        files = _file_store(env)
        return cls(
            database_url=shared.database_url(env),
            redis_url=shared.redis_url(env),
            host=host,
            port=port,
            public_url=_public_url(env, host, port, files),
            metrics_host=shared.metrics_host(env),
            metrics_port=env.port("CROSSFADE_METRICS_PORT"),
            workers=env.integer("CROSSFADE_GATEWAY_WORKERS", default=2, minimum=1, maximum=64),
            threads=threads,
            pool_size=env.integer("CROSSFADE_DB_POOL_SIZE", default=threads, minimum=1, maximum=256),
            rate_limit_per_min=requests,
            send_limit_per_min=sends,
            account_rate_limit_per_min=_per_min(
                env, "CROSSFADE_ACCOUNT_RATE_LIMIT_PER_MIN", default=requests * KEYS_IN_FULL
            ),
            account_send_limit_per_min=_per_min(
                env, "CROSSFADE_ACCOUNT_SEND_LIMIT_PER_MIN", default=sends * KEYS_IN_FULL
            ),
            new_keys_per_hour=env.integer("CROSSFADE_NEW_KEYS_PER_HOUR", default=60, minimum=1, maximum=10_000),
            failed_auth_per_min=env.integer("CROSSFADE_FAILED_AUTH_PER_MIN", default=30, minimum=1, maximum=10_000),
            max_body_bytes=env.integer("CROSSFADE_MAX_BODY_BYTES", default=65_536, minimum=1_024, maximum=16_777_216),
            request_timeout_s=env.number("CROSSFADE_REQUEST_TIMEOUT_S", default=10.0, minimum=1.0, maximum=300.0),
            trusted_proxies=env.integer("CROSSFADE_TRUSTED_PROXIES", default=0, minimum=0, maximum=10),
            provider=shared.provider(env),
            flag_provider=shared.flag_provider(env),
            supabase_url=shared.supabase_url(env),
            supabase_public_key=shared.supabase_public_key(env),
            legacy_url=env.optional("CROSSFADE_LEGACY_URL"),
            signing_key=SigningKey.from_env(env),
            token_rules=TokenRules.from_env(env),
            session_ttl_s=env.integer("CROSSFADE_SESSION_TTL_S", default=900, minimum=60, maximum=86_400),
            secrets=SecretBox.from_env(env),
            webhook_urls=UrlPolicy.from_env(env),
            files=files,
            wuzapi_servers=allowed_servers(env),
            max_waiters=env.integer("CROSSFADE_MAX_WAITERS", default=512, minimum=0, maximum=4_096),
            cors_origins=shared.cors_origins(env),
            env=shared.key_env(env),
            listen_fds=shared.listen_fds(env),
            log_level=env.log_level(),
            log_format=env.log_format(),
        )


def _per_min(env: Environment, name: str, *, default: int) -> int:
    return env.integer(name, default=min(default, MAX_PER_MIN), minimum=1, maximum=MAX_PER_MIN)


def _file_store(env: Environment) -> FileStore | None:
    """Return the store, which is connected to nothing yet."""
    kind = env.choice("CROSSFADE_STORAGE", StorageKind, default=StorageKind.OFF)
    if kind is StorageKind.DIRECTORY:
        return DirectoryStore(Path(env.text("CROSSFADE_STORAGE_DIR")).resolve())
    if kind is StorageKind.OFF:
        return None
    url, key = shared.supabase_url(env), shared.supabase_secret_key(env)
    if url is None or key is None:
        missing = "SUPABASE_URL" if url is None else "SUPABASE_SECRET_KEY or SUPABASE_SERVICE_ROLE_KEY"
        return env.wrong(f"Set {missing}: CROSSFADE_STORAGE=supabase needs it.", None)
    return SupabaseStore(url, key, env.text("CROSSFADE_STORAGE_BUCKET", default="chat-attachments"))


def _public_url(env: Environment, host: str, port: int, files: FileStore | None) -> str:
    """Return what stands before the paths that clients are sent to; the loopback's own address needs no telling."""
    name = "CROSSFADE_PUBLIC_URL"
    if env.optional(name) is None:
        if isinstance(files, DirectoryStore) and host not in LOOPBACK:
            env.wrong(f"Set {name}, as in https://chat.example.com: uploads go there.", None)
        return f"http://{host}:{port}"
    url = env.text(name).rstrip("/")
    if not re.fullmatch(r"https?://[^/?#\s]+(/[^?#\s]*)?", url):
        return env.wrong(f"{name} must be a URL such as https://chat.example.com, without query or fragment.", url)
    return url
