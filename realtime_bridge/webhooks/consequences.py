"""Consequences of results for their endpoints. Their health, and when their queues have work again.

Called by results.py, in the transaction that writes the results. Most batches mean nothing: everything was delivered,
and the endpoints were well before.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg import AsyncConnection

from realtime_bridge.webhooks.call.attempt import Attempt
from realtime_bridge.webhooks.contract.health import Result
from realtime_bridge.webhooks.contract.outcomes import Outcome, Verdict
from realtime_bridge.webhooks.queue import deliveries, endpoints
from realtime_bridge.webhooks.queue.deliveries import Claimed


@dataclass(frozen=True, slots=True)
class Settled:
    """A result whose claim still held. `notable`: a success changes what is known of the endpoint."""

    delivery: Claimed
    attempt: Attempt
    verdict: Verdict
    notable: bool


async def note(connection: AsyncConnection[Any], settled: Sequence[Settled]) -> None:
    """Write it down."""
    changed = {
        one.delivery.webhook_id for one in settled if one.notable or one.attempt.outcome is not Outcome.DELIVERED
    }
    if blocked := _blocked(settled):
        await deliveries.hold_conversations(connection, blocked)
    if results := _results(one for one in settled if one.delivery.webhook_id in changed):
        await endpoints.note_results(connection, results, datetime.now(UTC))
    delivered = {one.delivery.webhook_id for one in settled if one.attempt.outcome is Outcome.DELIVERED}
    if succeeded := delivered & changed:
        await endpoints.note_success(connection, succeeded)
    if delays := _delays(settled):
        await endpoints.bring_forward(connection, delays)


def _blocked(settled: Iterable[Settled]) -> list[tuple[int, int, float]]:
    """Return the FIFO conversations of which the head failed, with how long they wait."""
    return [
        (one.delivery.webhook_id, one.delivery.conversation_id, one.verdict.delay_s)
        for one in settled
        if one.verdict.state == "open" and one.delivery.fifo and one.delivery.conversation_id is not None
    ]


def _delays(settled: Iterable[Settled]) -> dict[int, float]:
    """Return in how many seconds each endpoint's queue has work: a retry, or what waited behind a FIFO head."""
    delays: dict[int, float] = {}
    for one in settled:
        if one.verdict.state == "open" or one.delivery.fifo:
            webhook_id, delay_s = one.delivery.webhook_id, one.verdict.delay_s
            delays[webhook_id] = min(delay_s, delays.get(webhook_id, delay_s))
    return delays


def _results(settled: Iterable[Settled]) -> dict[int, list[Result]]:
    """Return what says something of health, by endpoint: a replay does not, nor what was never sent."""
    results: dict[int, list[Result]] = {}
    for one in settled:
        attempt = one.attempt
        if not one.delivery.replay and attempt.outcome not in (Outcome.EXPIRED, Outcome.SECRET_UNAVAILABLE):
            results.setdefault(one.delivery.webhook_id, []).append(attempt)
    return results
