"""Webhooks as the gateway speaks of them. Plain frozen values: no HTTP, no SQL."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class DeliveryState(StrEnum):
    OPEN = "open"
    DELIVERED = "delivered"
    FAILED = "failed"


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
