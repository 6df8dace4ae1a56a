"""Webhooks as the gateway speaks of them. Plain frozen values: no HTTP, no SQL."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from gateway.domain.pages import Position


class DeliveryState(StrEnum):
    OPEN = "open"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """What an endpoint's owner decides. `headers` may hold tokens: they are stored sealed and never shown."""

    url: str
    description: str | None
    event_types: tuple[str, ...]
    headers: Mapping[str, str] = field(repr=False)
    max_in_flight: int
    max_per_second: int | None
    fifo: bool
    compatibility_signature: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWebhook:
    settings: WebhookSettings
    secret: str | None = field(repr=False)
    """Chosen by the owner, or None for one of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    secret: str | None = field(repr=False)
    overlap_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFilter:
    state: DeliveryState | None = None
    type: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFilter:
    outcome: str | None = None
    type: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """Events of this time are delivered that were not: those that failed, and those nobody was told of."""

    since: datetime
    until: datetime
    types: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    failed: int
    missing: int
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    retried: int
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Representations as JSON text, newest first. `last` is the position of the last one shown."""

    items: tuple[str, ...]
    has_more: bool
    last: Position | None
