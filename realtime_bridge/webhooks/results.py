"""Results of attempts, written down. The deliveries' next states, the attempt log, and what follows for endpoints.

Called by the sender; sends nothing. Results are gathered for a moment and written in one transaction. When the
database fails they are kept for the next try: the fence tells then whether this one went through.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg.rows import tuple_row
from psycopg_pool import PoolTimeout

from realtime_bridge.shared import sql
from realtime_bridge.shared.database import Pool
from realtime_bridge.webhooks import metrics
from realtime_bridge.webhooks.call.attempt import Attempt
from realtime_bridge.webhooks.consequences import Settled, note
from realtime_bridge.webhooks.contract.outcomes import Lane, Verdict, judge
from realtime_bridge.webhooks.queue.deliveries import Claimed

log = structlog.get_logger(__name__)

_QUERIES = sql.AsyncQueries(__file__)
GATHER_S = 0.01  # while other requests are under way: fewer and larger transactions
BATCH = 500
RETRY_S = 0.25  # a restarting Postgres is back within seconds


@dataclass(frozen=True, slots=True)
class Done:
    delivery: Claimed
    attempt: Attempt


@dataclass(kw_only=True, eq=False, repr=False)
class Results:
    """Keeps results until they are written, however long the database is away.

    `busy` says whether more results are on their way; `free` is told what was written.
    """

    pool: Pool
    jitter: random.Random
    busy: Callable[[], bool]
    free: Callable[[Sequence[Claimed]], None]
    _waiting: list[Done] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, done: Done) -> None:
        self._waiting.append(done)
        self._news.set()

    async def run(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            await asyncio.sleep(0)  # whoever brought the news may end first
            if self.busy():
                await asyncio.sleep(GATHER_S)
            await self.settle_all()

    async def settle_all(self) -> None:
        """Write until nothing waits, through every failure of the database."""
        while self._waiting:
            try:
                await self.settle()
            except psycopg.DataError as error:  # no answer of a receiver may stop the others' results
                log.warning("results written without answers", error=str(error).strip())
                self._waiting[:BATCH] = [without_answer(one) for one in self._waiting[:BATCH]]
                await asyncio.sleep(RETRY_S)
            except (psycopg.Error, PoolTimeout) as error:
                log.warning("results not written", error=str(error).strip(), waiting=len(self._waiting))
                await asyncio.sleep(RETRY_S)

    async def settle(self) -> int:
        """Write a batch in one transaction; return how many results that were."""
        batch = self._waiting[:BATCH]
        if not batch:
            return 0
        verdicts = [
            judge(
                one.attempt.outcome,
                attempts=one.delivery.attempts,
                replay=one.delivery.replay,
                wish_s=one.attempt.wish_s,
                jitter=self.jitter,
            )
            for one in batch
        ]
        async with self.pool.connection() as connection, connection.transaction():
            settled = await _settle(connection, batch, verdicts)
            async with connection.cursor() as cursor, cursor.copy(_QUERIES["log_attempts"]) as copy:
                for one in settled:
                    await copy.write_row(_row(one.delivery, one.attempt))
            await note(connection, settled)
        del self._waiting[: len(batch)]
        self.free([one.delivery for one in batch])
        metrics.LEASES_LOST.inc(len(batch) - len(settled))
        metrics.FAILED.inc(sum(one.verdict.state == "failed" for one in settled))
        _measure(batch)
        return len(batch)


def _measure(batch: Sequence[Done]) -> None:
    for outcome, count in Counter(one.attempt.outcome for one in batch).items():
        metrics.ATTEMPTS.labels(outcome.value).inc(count)
    for one in batch:
        delivery, attempt = one.delivery, one.attempt
        metrics.ATTEMPT_SECONDS.observe(attempt.timing.total_ms / 1_000)
        if delivery.attempts == 0 and delivery.lane == Lane.EARLY:
            waited = (attempt.started_at - delivery.logged_at).total_seconds()
            metrics.FIRST_ATTEMPT_SECONDS.observe(max(0.0, waited))


def without_answer(one: Done) -> Done:
    """Return the result without what the receiver said."""
    attempt = replace(one.attempt, error=one.attempt.outcome.value, response_headers=None, response_body=None)
    return replace(one, attempt=attempt)


async def _settle(
    connection: AsyncConnection[Any], batch: Sequence[Done], verdicts: Sequence[Verdict]
) -> list[Settled]:
    """Write the deliveries' states; return those whose claim still held."""
    times = [one.delivery.logged_at for one in batch]
    values = {
        "first": min(times),
        "last": max(times),
        "ids": _array(one.delivery.id for one in batch),
        "logged_at": _array(time.isoformat() for time in times),
        "fences": _array(one.delivery.fence for one in batch),
        "states": _array(verdict.state for verdict in verdicts),
        "lanes": _array(verdict.lane for verdict in verdicts),
        "delays": _array(verdict.delay_s for verdict in verdicts),
        "counted": _array(verdict.counted for verdict in verdicts),
    }
    rows = await _QUERIES.list_rows(connection, "settle", tuple_row, **values)
    notable = {(delivery_id, fence): notable for delivery_id, fence, notable in rows}
    return [
        Settled(one.delivery, one.attempt, verdict, notable[one.delivery.claim])
        for one, verdict in zip(batch, verdicts, strict=True)
        if one.delivery.claim in notable
    ]


def _array(values: Iterable[object]) -> str:
    """Return the text of an array of numbers, times or plain words: a fifth of what an adapted list costs."""
    return "{" + ",".join(map(str, values)) + "}"


def _row(delivery: Claimed, attempt: Attempt) -> tuple[Any, ...]:
    """Return the attempt's columns in the order of `log_attempts`, as text where Python's own form is slow to send."""
    timing, headers = attempt.timing, attempt.response_headers
    return (
        delivery.webhook_id,
        delivery.id,
        delivery.event_id,
        delivery.type,
        delivery.attempts + 1,
        delivery.replay,
        attempt.started_at.isoformat(),
        attempt.outcome.value,
        attempt.status,
        attempt.error or None,
        timing.dns_ms,
        timing.connect_ms,
        timing.first_byte_ms,
        round(timing.total_ms, 2),
        None if headers is None else json.dumps(dict(headers)),
        attempt.response_body,
        _array(attempt.secret_ids),
    )
