"""Settings of the endpoint. Built by the command line, the tests and the pytest plugin.

Times and limits default to what Supabase Realtime v2.129.8 does; tests shorten the times, nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from realtime_bridge.shared import variables as shared
from realtime_bridge.shared.environment import Environment

CLI_JWT_SECRET = "super-secret-jwt-token-with-at-least-32-characters-long"  # noqa: S105 - public, Supabase CLI's own
CLI_PUBLISHABLE_KEY = "sb_publishable_ACJWlzQHlZjBrEguHvfOxg_3BJgxAaH"  # public constant of the Supabase CLI
CLI_SECRET_KEY = "sb_secret_N7UND0UgjKTVK-Uodkm0Hg_xSvEMPvz"  # noqa: S105 - public constant of the Supabase CLI


class Plan(StrEnum):
    """Quotas of a hosted plan; `unlimited` keeps them out of the way of local work."""

    UNLIMITED = "unlimited"
    FREE = "free"
    PRO = "pro"
    TEAM = "team"


_QUOTAS = {  # users, events and joins a second, presence events a second, kilobytes of a payload
    Plan.FREE: (200, 100, 20, 256),
    Plan.PRO: (500, 500, 50, 3_000),
    Plan.TEAM: (10_000, 2_500, 1_000, 3_000),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Quotas of one project, under the names of Realtime's tenant settings."""

    max_concurrent_users: int = 200_000
    max_events_per_second: int = 200_000
    max_joins_per_second: int = 200_000
    max_presence_events_per_second: int = 200_000
    max_channels_per_client: int = 100
    max_client_presence_events_per_window: int = 5
    max_payload_size_kb: int = 3000

    @classmethod
    def of_plan(cls, plan: str) -> "Limits":
        """Quotas as in Supabase's table of Realtime limits; a number is one of messages per second.

        Raises ValueError with a sentence.
        """
        if plan.isascii() and plan.isdecimal() and 1 <= int(plan) <= cls().max_events_per_second:
            return cls(max_events_per_second=int(plan))
        if plan not in tuple(Plan):
            raise ValueError(f"{plan!r} is no plan: say {', '.join(Plan)}, or a number of messages per second.")
        if plan == Plan.UNLIMITED:
            return cls()
        users, events, presence, payload_kb = _QUOTAS[Plan(plan)]
        return cls(
            max_concurrent_users=users,
            max_events_per_second=events,
            max_joins_per_second=events,
            max_presence_events_per_second=presence,
            max_payload_size_kb=payload_kb,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Waits in seconds, as observed on the real server."""

    connect_error_backoff_s: float = 2.0  # a refused handshake answers late, so that clients do not hammer
    channel_error_backoff_s: float = 5.0  # a refused join answers late and blocks its connection meanwhile
    idle_timeout_s: float = 60.0  # Phoenix's default: no frame, not even a ping, closes with 1000
    idle_sweep_s: float = 6.0  # the real server was seen to close between 60 and 66 s
    no_channel_check_s: float = 600.0  # a connection that has left its last channel is dropped at this check
    rate_tick_s: float = 5.0  # rates are averages over up to twelve ticks
    presence_window_s: float = 30.0
    token_check_s: float = 300.0  # a token is looked at again at least this often
    leave_turn_s: float = 0.002  # a join sent right behind a leave overtakes the leave's reply
    replication_delay_s: float = 0.0  # the real slot is there 3 to 5 s after a start, and clients have joined before
    replication_retry_s: float = 0.05
    replication_retry_max_s: float = 2.0
    janitor_s: float = 3600.0  # how often partitions are created and dropped
    database_timeout_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Queues:
    """Bounds of what one connection may keep waiting; past them it is cut off and nobody else notices."""

    inbound_frames: int = 1000  # then we stop reading from that client until it has been served
    inbound_bytes: int = 16_000_000  # three of the longest frames
    outbound_frames: int = 5000
    outbound_bytes: int = 32_000_000  # ten of the largest payloads


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One project on one endpoint."""

    database_url: str
    host: str = "127.0.0.1"
    port: int = 54321
    jwt_secret: str = field(default=CLI_JWT_SECRET, repr=False)
    jwks: str = ""  # JSON Web Key Set for RS/ES/EdDSA tokens, and HS tokens with a `kid`
    publishable_key: str = CLI_PUBLISHABLE_KEY
    secret_key: str = field(default=CLI_SECRET_KEY, repr=False)
    limits: Limits = field(default_factory=Limits)
    timings: Timings = field(default_factory=Timings)
    queues: Queues = field(default_factory=Queues)
    private_only: bool = False
    presence_enabled: bool = False
    suspended: bool = False
    answer_preflight: bool = True  # hosted, the API gateway does this; the Realtime server itself says 404

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], *, database_url: str, host: str, port: int) -> "Settings":
        """Read secrets from the environment; everything else comes from the command line."""
        variables = Environment(environment)
        return cls(
            database_url=database_url,
            host=host,
            port=port,
            jwt_secret=shared.jwt_secret(variables) or CLI_JWT_SECRET,
            jwks=variables.text("SUPABASE_JWKS", default=""),
            publishable_key=variables.text("SUPABASE_PUBLISHABLE_KEY", default=CLI_PUBLISHABLE_KEY),
            secret_key=variables.text("SUPABASE_SECRET_KEY", default=CLI_SECRET_KEY),
        )
