"""Samples of what was measured, written into slots for the gates. Every few seconds."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import psycopg
import structlog
from psycopg_pool import PoolTimeout

from realtime_bridge.parity.ledger import Ledger, sample
from realtime_bridge.parity.loop_lag import LoopLag
from realtime_bridge.parity.tally import Tally
from realtime_bridge.rollout.dial.stages import Side
from realtime_bridge.rollout.gate import slots
from realtime_bridge.rollout.gate.slots import Sample
from realtime_bridge.shared.database import Pool

log = structlog.get_logger(__name__)

INTERVAL_S = 1.0  # the outage rule is immediate: a slot grows while it lasts
FORGET_EVERY = 3_600  # rounds: once an hour


@dataclass(kw_only=True, eq=False, repr=False)
class Samples:
    """Every bridge writes the tries of its own sinks; the one whose canary measures also writes what was seen."""

    pool: Pool
    flag: str
    ledger: Ledger
    tallies: Sequence[Tally]
    lag: LoopLag
    lags_count_for: Callable[[], Iterable[Side]]
    """The sides that this bridge delivers to, while somebody judges by it."""
    _unwritten: list[Sample] = field(default_factory=list)
    _rounds: int = 0

    async def run(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL_S)
            try:
                await self.run_once()
            except (psycopg.Error, PoolTimeout, OSError) as error:
                log.info("parity samples wait for the database", error=str(error).strip())

    async def run_once(self) -> int:
        """Write what is new; return how many rows were touched. What could not be written is written next time."""
        lag = self.lag.take()
        taken = [sample(side, self.ledger.take(side)) for side in Side] + [tally.take() for tally in self.tallies]
        taken += [Sample(side=side, lag_counts=lag) for side in self.lags_count_for()]
        self._unwritten = [slots.total([*self._unwritten, *taken], side) for side in Side]
        news = [one for one in self._unwritten if _is_news(one)]
        async with self.pool.connection() as connection, connection.transaction():
            await slots.add(connection, self.flag, news)
            self._rounds += 1
            if self._rounds % FORGET_EVERY == 0:
                await slots.forget(connection)
        self._unwritten = []
        return len(news)


def _is_news(one: Sample) -> bool:
    return bool(one.sent or one.attempts or one.repeated or one.reordered or one.rate_per_s or any(one.lag_counts))
