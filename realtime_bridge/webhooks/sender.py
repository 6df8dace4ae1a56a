"""Sender of deliveries: claim, send, settle. Several share the queue without meeting.

One task claims what there is room for (places.py), workers send it, and one task writes down what came of it
(results.py).
"""

import asyncio
import contextlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import psycopg
import structlog
from psycopg_pool import PoolTimeout

from realtime_bridge.shared.database import Pool
from realtime_bridge.shared.shares import Line
from realtime_bridge.webhooks import metrics
from realtime_bridge.webhooks.call.attempt import Caller
from realtime_bridge.webhooks.places import IN_HAND, REQUESTS, Places
from realtime_bridge.webhooks.queue import deliveries
from realtime_bridge.webhooks.queue.bodies import Bodies
from realtime_bridge.webhooks.queue.deliveries import Claimed
from realtime_bridge.webhooks.queue.endpoints import Endpoint, Endpoints
from realtime_bridge.webhooks.results import Done, Results

log = structlog.get_logger(__name__)

CLAIM_GAP_S = 0.01  # however much news comes: a claim is to be worth its round trips
CLAIM_AGAIN_S = 0.05  # under load, also when little has come back: what came may be of an endpoint that is quick
START = 25  # requests begun at a time: what has come back, and the database, get their turn in between
BUSY_ROUND_S = 0.005  # a round of the loop that takes longer: more requests at once would only make everything wait
POLL_S = 0.5  # the truth when a NOTIFY is lost, and how exactly a retry is on time
RETRY_S = 0.25  # a restarting Postgres is back within seconds
LEASE_S = 5.0  # what a dead sender had claimed comes back after this; for half of it, it holds places at its endpoints
RENEW_S = 1.0  # a claim is renewed when it is one to two seconds old, so a living sender's are never half a lease old
STOP_TIMEOUT_S = 5.0  # then what is under way is left to its lease


@dataclass(kw_only=True, eq=False, repr=False)
class WebhookSender:
    """Sends what is due, until stopped; survives every failure of the database and of receivers."""

    pool: Pool
    endpoints: Endpoints
    calls: Caller
    lease_s: float = LEASE_S
    jitter: random.Random = field(default_factory=random.Random)
    """Spreads retries; nobody gains by guessing it."""

    def __post_init__(self) -> None:
        self.results = Results(
            pool=self.pool,
            jitter=self.jitter,
            busy=lambda: bool(self._under_way or self._line.by_owner),
            free=self._free,
        )
        self._bodies = Bodies()
        self._places = Places()
        self._line: Line[tuple[Claimed, Endpoint]] = Line(REQUESTS, 3 * IN_HAND)  # Places bounds it: never full
        self._starting: asyncio.Task[None] | None = None
        self._under_way: set[asyncio.Task[None]] = set()
        self._to_come_back = 0
        self._news = asyncio.Event()
        self._stopping = asyncio.Event()

    def wake(self, _of: str = "") -> None:
        """Say that there may be deliveries."""
        self._news.set()

    def stop(self) -> None:
        self._stopping.set()
        self._news.set()

    async def run(self) -> None:
        helpers = [asyncio.create_task(self.results.run()), asyncio.create_task(self._keep_leases())]
        try:
            while not self._stopping.is_set():
                await self._wait(await self._step())
            self._line.clear()  # they are given back
            if self._under_way:
                await asyncio.wait(self._under_way, timeout=STOP_TIMEOUT_S)
        finally:
            await self._end(helpers)

    async def run_once(self) -> int:
        """Claim once, send everything claimed and settle it; return how many deliveries that were."""
        claimed = await self.claim()
        while self._places:
            await asyncio.wait([task for task in (self._starting, *self._under_way) if task])
            await self.results.settle()
        return len(claimed)

    async def claim(self) -> list[Claimed]:
        """Claim what there is room for and begin to send it."""
        room = self._places.room()
        if room.slots <= 0:
            return []
        async with self.pool.connection() as connection:
            claimed = await deliveries.claim(connection, room, self.lease_s, self._bodies)
            found = await self.endpoints.load(connection, {one.webhook_id for one in claimed}) if claimed else {}
        sendable = [one for one in claimed if one.webhook_id in found]  # the others were deleted just now
        self._places.take(sendable)
        self._to_come_back = min(len(sendable), len(self._places) // 2)
        for one in sendable:
            self._line.join(one.account_id, (one, found[one.webhook_id]))
        self._begin()
        return sendable

    def _begin(self) -> None:
        """See to it that everything is begun that may begin."""
        if (self._starting is None or self._starting.done()) and self._line.may_take():
            self._starting = asyncio.create_task(self._start_all())

    async def _start_all(self) -> None:
        """Start workers while something waits: as many as are allowed for slow receivers, few for quick ones."""
        clock = asyncio.get_running_loop().time
        busy = False
        while self._line.may_take() and len(self._under_way) < REQUESTS:
            if not busy:
                self._start(min(START, self._line.waiting.count, REQUESTS - len(self._under_way)))
            began, waiting = clock(), self._line.waiting.count
            await asyncio.sleep(0)
            came_back = waiting - self._line.waiting.count  # where most hang, more must start, however busy we are
            busy = clock() - began > BUSY_ROUND_S and came_back >= START // 2

    def _start(self, count: int) -> None:
        for _ in range(count):
            worker = asyncio.create_task(self._send())
            self._under_way.add(worker)
            worker.add_done_callback(self._ended)
        metrics.IN_FLIGHT.set(len(self._under_way))

    async def _send(self) -> None:
        """Send one delivery after the other, until nothing may begin."""
        while turn := self._line.take():
            account_id, (delivery, endpoint) = turn
            try:
                self.results.add(Done(delivery, await self.calls.attempt(delivery, endpoint)))
            finally:
                self._line.leave(account_id)

    def _ended(self, worker: asyncio.Task[None]) -> None:
        """A place is free: more of somebody's share than what this worker could go on with may begin."""
        self._under_way.discard(worker)
        if not self._stopping.is_set():
            self._begin()

    def _free(self, written: Sequence[Claimed]) -> None:
        """Give back the places of what is written; claim again when half of what was claimed has come back."""
        self._places.give_back(written)
        metrics.IN_FLIGHT.set(len(self._under_way))
        self._to_come_back -= len(written)
        if self._to_come_back <= 0:
            self._news.set()

    async def _step(self) -> float:
        """Claim; return how long to wait for news before the next claim."""
        try:
            claimed = await self.claim()
        except (psycopg.Error, PoolTimeout) as error:
            log.warning("deliveries not claimed", error=str(error).strip())
            await asyncio.sleep(RETRY_S)
            return RETRY_S
        if not claimed:
            return POLL_S
        await asyncio.sleep(CLAIM_GAP_S)
        return CLAIM_AGAIN_S

    async def _wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), seconds)
        self._news.clear()

    async def _keep_leases(self) -> None:
        """Renew the claims of slow requests, and of results that wait for the database."""
        while True:
            await asyncio.sleep(RENEW_S)
            slow = self._places.older_than(RENEW_S)
            if slow:
                with contextlib.suppress(psycopg.Error, PoolTimeout):
                    async with self.pool.connection() as connection:
                        await deliveries.renew(connection, slow, self.lease_s)

    async def _end(self, helpers: Sequence[asyncio.Task[None]]) -> None:
        tasks = [*helpers, *self._under_way, *([self._starting] if self._starting else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(psycopg.Error, PoolTimeout):
            while await self.results.settle():
                pass
            if self._places:
                async with self.pool.connection() as connection:
                    await deliveries.release(connection, self._places.older_than(0.0))
