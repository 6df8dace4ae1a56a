"""Carry out deliveries: claim, send, settle. Started by `__main__`; several senders share the queue without meeting.

One task claims what there is room for, each delivery is a task of its own, and one task settles results in batches.
The late lane gets at most a third of the slots, so first attempts never wait behind old retries.
"""

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg_pool import PoolTimeout

from realtime_bridge.relay import Pool
from realtime_bridge.webhooks import deliveries, endpoints, metrics
from realtime_bridge.webhooks.attempts import Attempt, row_of
from realtime_bridge.webhooks.deliveries import Claimed, Room
from realtime_bridge.webhooks.endpoints import Endpoint, Endpoints
from realtime_bridge.webhooks.health import Result
from realtime_bridge.webhooks.outcomes import Outcome
from realtime_bridge.webhooks.schedule import Lane
from realtime_bridge.webhooks.verdicts import Verdict, judge

log = structlog.get_logger(__name__)

SLOTS = 500  # requests under way; fifty endpoints that hang with all their ten slots are still no stop
LATE_SHARE = 3  # the late lane's part of the slots is one in this many
BATCH = 400  # deliveries a claim: its cost is by endpoint, so fewer and larger ones are cheaper
CLAIM_GAP_S = 0.01  # under load: lets slots come free, so that a claim is worth its round trips
POLL_S = 0.5  # the truth when a NOTIFY is lost, and how exactly a retry is on time
SETTLE_GAP_S = 0.01  # gathers results into one transaction
SETTLE_BATCH = 500
RETRY_S = 0.25  # a restarting Postgres is back within seconds
LEASE_S = 5.0  # what a dead sender had claimed comes back after this; for half of it, it holds places at its endpoints
RENEW_S = 1.0  # a claim is renewed when it is one to two seconds old, so a living sender's are never half a lease old
STOP_TIMEOUT_S = 5.0  # then what is under way is left to its lease


class Calls(Protocol):
    """What sends; see attempts.py."""

    async def attempt(self, delivery: Claimed, endpoint: Endpoint) -> Attempt: ...


@dataclass(frozen=True, slots=True)
class Done:
    delivery: Claimed
    attempt: Attempt


class WebhookSender:
    """Sends what is due, until stopped; survives every failure of the database and of receivers."""

    def __init__(
        self,
        *,
        pool: Pool,
        endpoints: Endpoints,
        calls: Calls,
        slots: int = SLOTS,
        lease_s: float = LEASE_S,
        jitter: random.Random | None = None,
    ) -> None:
        self._pool = pool
        self._endpoints = endpoints
        self._calls = calls
        self._slots = slots
        self._lease_s = lease_s
        self._jitter = jitter or random.Random()  # noqa: S311 spreads retries; nobody gains by guessing it
        self._under_way: dict[asyncio.Task[None], Claimed] = {}
        self._held: dict[int, tuple[Claimed, float]] = {}
        self._in_flight: Counter[int] = Counter()
        self._most: dict[int, int] = {}
        self._late = 0
        self._done: list[Done] = []
        self._news = asyncio.Event()
        self._results = asyncio.Event()
        self._stopping = asyncio.Event()

    def wake(self) -> None:
        """Say that there may be deliveries."""
        self._news.set()

    def stop(self) -> None:
        self._stopping.set()
        self._news.set()

    async def run(self) -> None:
        helpers = [asyncio.create_task(self._keep_settling()), asyncio.create_task(self._keep_leases())]
        try:
            while not self._stopping.is_set():
                await self._wait(await self._step())
            if self._under_way:
                await asyncio.wait(self._under_way, timeout=STOP_TIMEOUT_S)
        finally:
            await self._end(helpers)

    async def run_once(self) -> int:
        """Claim once, send everything claimed and settle it; return how many deliveries that were."""
        claimed = await self.claim()
        if claimed:
            await asyncio.wait(list(self._under_way))
            await self.settle()
        return len(claimed)

    async def claim(self) -> list[Claimed]:
        """Claim what there is room for and start sending it."""
        room = self._room()
        if room.slots <= 0:
            return []
        async with self._pool.connection() as connection:
            claimed = await deliveries.claim(connection, room, self._lease_s)
            found = await self._endpoints.load(connection, {one.webhook_id for one in claimed}) if claimed else {}
        sendable = [one for one in claimed if one.webhook_id in found]  # the others were deleted just now
        for delivery in sendable:
            self._start(delivery, found[delivery.webhook_id])
        return sendable

    async def settle(self) -> int:
        """Write down what is done, in one transaction; return how many results that were.

        When the database fails they are kept for the next try: the fence tells then whether this one went through.
        """
        batch = self._done[:SETTLE_BATCH]
        if not batch:
            return 0
        verdicts = [self._judge(one) for one in batch]
        rows = [
            row_of(one.delivery, one.attempt) | _columns(verdict) for one, verdict in zip(batch, verdicts, strict=True)
        ]
        async with self._pool.connection() as connection, connection.transaction():
            settled = await deliveries.settle(connection, rows)
            held = [pair for pair in zip(batch, verdicts, strict=True) if pair[0].delivery.id in settled]
            await _note(connection, held)
        del self._done[: len(batch)]
        for one in batch:
            self._free(one.delivery)
        metrics.LEASES_LOST.inc(len(batch) - len(held))
        metrics.FAILED.inc(sum(verdict.state == "failed" for _, verdict in held))
        self._news.set()
        return len(batch)

    def _room(self) -> Room:
        slots = min(self._slots - sum(self._in_flight.values()), BATCH)
        late = max(1, self._slots // LATE_SHARE) - self._late
        full = [webhook_id for webhook_id, count in self._in_flight.items() if count >= self._most[webhook_id]]
        return Room(slots=slots, late_slots=max(0, min(slots, late)), full=full)

    def _start(self, delivery: Claimed, endpoint: Endpoint) -> None:
        self._held[delivery.id] = (delivery, time.monotonic())
        self._in_flight[delivery.webhook_id] += 1
        self._most[delivery.webhook_id] = delivery.max_in_flight
        self._late += delivery.lane == Lane.LATE
        task = asyncio.create_task(self._send(delivery, endpoint))
        self._under_way[task] = delivery
        task.add_done_callback(lambda ended: self._under_way.pop(ended, None))
        metrics.IN_FLIGHT.set(len(self._under_way))

    async def _send(self, delivery: Claimed, endpoint: Endpoint) -> None:
        attempt = await self._calls.attempt(delivery, endpoint)
        self._done.append(Done(delivery, attempt))
        self._results.set()
        metrics.ATTEMPTS.labels(attempt.outcome.value).inc()
        metrics.ATTEMPT_SECONDS.observe(attempt.timing.total_ms / 1_000)
        if delivery.attempts == 0 and delivery.lane == Lane.EARLY:
            metrics.FIRST_ATTEMPT_SECONDS.observe(max(0.0, (attempt.started_at - delivery.logged_at).total_seconds()))

    def _free(self, delivery: Claimed) -> None:
        self._held.pop(delivery.id, None)
        self._late -= delivery.lane == Lane.LATE
        self._in_flight[delivery.webhook_id] -= 1
        if self._in_flight[delivery.webhook_id] <= 0:
            del self._in_flight[delivery.webhook_id]
            del self._most[delivery.webhook_id]

    def _judge(self, one: Done) -> Verdict:
        return judge(
            one.attempt.outcome,
            attempts=one.delivery.attempts,
            replay=one.delivery.replay,
            wish_s=one.attempt.wish_s,
            jitter=self._jitter,
        )

    async def _step(self) -> float:
        """Claim; return how long to wait before the next claim."""
        try:
            claimed = await self.claim()
        except (psycopg.Error, PoolTimeout) as error:
            log.warning("deliveries not claimed", error=str(error).strip())
            await asyncio.sleep(RETRY_S)
            return RETRY_S
        if claimed:
            await asyncio.sleep(CLAIM_GAP_S)
            return 0.0
        return POLL_S

    async def _wait(self, seconds: float) -> None:
        if seconds:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), seconds)
        self._news.clear()

    async def _keep_leases(self) -> None:
        """Renew the claims of slow requests, and of results that wait for the database."""
        while True:
            await asyncio.sleep(RENEW_S)
            before = time.monotonic() - RENEW_S
            slow = [delivery for delivery, since in self._held.values() if since < before]
            if slow:
                with contextlib.suppress(psycopg.Error, PoolTimeout):
                    async with self._pool.connection() as connection:
                        await deliveries.renew(connection, slow, self._lease_s)

    async def _keep_settling(self) -> None:
        while True:
            await self._results.wait()
            self._results.clear()
            await asyncio.sleep(SETTLE_GAP_S)
            await self._settle_all()

    async def _settle_all(self) -> None:
        while self._done:
            try:
                await self.settle()
            except psycopg.DataError as error:  # no answer of a receiver may stop the others' results
                log.warning("results written without answers", error=str(error).strip())
                self._done[:SETTLE_BATCH] = [without_answer(one) for one in self._done[:SETTLE_BATCH]]
                await asyncio.sleep(RETRY_S)
            except (psycopg.Error, PoolTimeout) as error:
                log.warning("results not written", error=str(error).strip(), waiting=len(self._done))
                await asyncio.sleep(RETRY_S)

    async def _end(self, helpers: Sequence[asyncio.Task[None]]) -> None:
        tasks = [*helpers, *self._under_way]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(psycopg.Error, PoolTimeout):
            while await self.settle():
                pass
            if self._held:
                async with self._pool.connection() as connection:
                    await deliveries.release(connection, [delivery for delivery, _ in self._held.values()])


def without_answer(one: Done) -> Done:
    """Return the result without what the receiver said."""
    attempt = replace(one.attempt, error=one.attempt.outcome.value, response_headers=None, response_body=None)
    return replace(one, attempt=attempt)


def _columns(verdict: Verdict) -> dict[str, Any]:
    return {
        "state": verdict.state,
        "lane": int(verdict.lane),
        "delay_s": round(verdict.delay_s, 3),
        "counted": verdict.counted,
    }


async def _note(connection: AsyncConnection[Any], held: Sequence[tuple[Done, Verdict]]) -> None:
    """Write what a batch means for its endpoints: their health, and when their queues have work again."""
    results: dict[int, list[Result]] = {}
    delays: dict[int, float] = {}
    blocked: list[tuple[int, int, float]] = []
    for one, verdict in held:
        delivery, attempt = one.delivery, one.attempt
        if not delivery.replay and attempt.outcome not in (Outcome.EXPIRED, Outcome.SECRET_UNAVAILABLE):
            result = Result(
                outcome=attempt.outcome, started_at=attempt.started_at, wish_s=attempt.wish_s, error=attempt.error
            )
            results.setdefault(delivery.webhook_id, []).append(result)
        if verdict.state == "open":
            delays[delivery.webhook_id] = min(verdict.delay_s, delays.get(delivery.webhook_id, verdict.delay_s))
            if delivery.fifo and delivery.conversation_id is not None:
                blocked.append((delivery.webhook_id, delivery.conversation_id, verdict.delay_s))
        elif delivery.fifo:
            delays[delivery.webhook_id] = 0.0  # what waited behind it is due now
    if blocked:
        await deliveries.hold_conversations(connection, blocked)
    if results:
        await endpoints.note_results(connection, results, datetime.now(UTC))
    if succeeded := {one.delivery.webhook_id for one, _ in held if one.attempt.outcome is Outcome.DELIVERED}:
        await endpoints.note_success(connection, succeeded)
    if delays:
        await endpoints.bring_forward(connection, delays)
