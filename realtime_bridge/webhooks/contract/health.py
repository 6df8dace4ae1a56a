"""Health of an endpoint: HEALTHY, DEGRADED, DISABLED. Pure; the settling of attempts feeds it.

HEALTHY   --5 failures in a row-->          DEGRADED   probed one request at a time, with growing rests
DEGRADED  --a success-->                    HEALTHY
DEGRADED  --5 days of nothing but failure-->DISABLED   nothing is sent; events stay in the log and can be recovered
any       --410 Gone-->                     DISABLED
DISABLED  --its owner enables it-->         HEALTHY    not sooner than 5 minutes after the last time
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from realtime_bridge.webhooks.contract.outcomes import LONGEST_WISH_S, RESTS, Outcome

DEGRADED_AFTER = 5  # failures in a row: a deployment of the receiver is shorter than that
SINGLE_AFTER = 2  # from here on one request at a time: a hanging endpoint must not hold many of our slots
WARN_AFTER = (timedelta(hours=24), timedelta(hours=72))
DISABLE_AFTER = timedelta(days=5)
ENABLE_COOLDOWN = timedelta(minutes=5)  # enabling again and again would be a way around the rests
FIRST_REST_S = 1.0
LONGEST_REST_S = 300.0


class Health(StrEnum):
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    DISABLED = "disabled"


class NoticeType(StrEnum):
    DEGRADED = "endpoint.degraded"
    FAILING = "endpoint.failing"
    DISABLED = "endpoint.disabled"
    RECOVERED = "endpoint.recovered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What is remembered of an endpoint's attempts."""

    health: Health
    consecutive_failures: int = 0
    failing_since: datetime | None = None
    warnings: int = 0
    not_before: datetime | None = None
    """The endpoint rests until then; None for no rest."""
    last_failure_at: datetime | None = None
    last_error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    type: NoticeType
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What health needs to know of one attempt."""

    outcome: Outcome
    started_at: datetime
    wish_s: float = 0.0
    error: str = ""


def after(condition: Condition, result: Result, now: datetime) -> tuple[Condition, tuple[Notice, ...]]:
    """Return the condition after one attempt, and what its owner should be told.

    Attempts that ran side by side and failed together are one failure, or ten slots would be ten failures in a row.
    """
    outcome = result.outcome
    if condition.health is Health.DISABLED:
        return condition, ()
    if outcome is Outcome.DELIVERED:
        return _succeeded(condition)
    together = condition.last_failure_at is not None and result.started_at < condition.last_failure_at
    failures = condition.consecutive_failures + (0 if together else 1)
    condition = replace(
        condition,
        consecutive_failures=failures,
        failing_since=condition.failing_since or now,
        last_failure_at=now,
        last_error=result.error or outcome.value,
        not_before=_rest(condition, result, failures, now),
    )
    if outcome is Outcome.GONE:
        return _disabled(condition, "The receiver answered 410 Gone.")
    return _judge(condition, now)


def _succeeded(condition: Condition) -> tuple[Condition, tuple[Notice, ...]]:
    if condition.consecutive_failures == 0 and condition.health is Health.HEALTHY:
        return condition, ()
    notices: tuple[Notice, ...] = ()
    if condition.health is Health.DEGRADED:
        notices = (Notice(type=NoticeType.RECOVERED, reason="A delivery was accepted again."),)
    healthy = Condition(
        health=Health.HEALTHY, last_failure_at=condition.last_failure_at, last_error=condition.last_error
    )
    return healthy, notices


def _judge(condition: Condition, now: datetime) -> tuple[Condition, tuple[Notice, ...]]:
    failing_for = now - (condition.failing_since or now)
    if failing_for >= DISABLE_AFTER:
        return _disabled(condition, f"Nothing was accepted for {DISABLE_AFTER.days} days: {condition.last_error}")
    notices: list[Notice] = []
    if condition.health is Health.HEALTHY and condition.consecutive_failures >= DEGRADED_AFTER:
        condition = replace(condition, health=Health.DEGRADED)
        reason = f"{condition.consecutive_failures} attempts failed in a row: {condition.last_error}"
        notices.append(Notice(type=NoticeType.DEGRADED, reason=reason))
    due = sum(failing_for >= limit for limit in WARN_AFTER)
    if due > condition.warnings:
        condition = replace(condition, warnings=due)
        hours = int(WARN_AFTER[due - 1].total_seconds() // 3_600)
        reason = f"Nothing was accepted for {hours} hours; after {DISABLE_AFTER.days} days it will be disabled."
        notices.append(Notice(type=NoticeType.FAILING, reason=reason))
    return condition, tuple(notices)


def _disabled(condition: Condition, reason: str) -> tuple[Condition, tuple[Notice, ...]]:
    return replace(condition, health=Health.DISABLED, not_before=None), (
        Notice(type=NoticeType.DISABLED, reason=reason),
    )


def _rest(condition: Condition, result: Result, failures: int, now: datetime) -> datetime | None:
    """Rest when the receiver asks for it, is overloaded, or has failed often enough; the longest rest wins."""
    rest_s = result.wish_s if result.outcome in RESTS else 0.0
    if result.outcome in RESTS or failures >= DEGRADED_AFTER:
        rest_s = max(rest_s, min(FIRST_REST_S * 2.0 ** min(failures - 1, 16), LONGEST_REST_S))
    until = now + timedelta(seconds=min(rest_s, LONGEST_WISH_S)) if rest_s else None
    return max((moment for moment in (until, condition.not_before) if moment), default=None)
