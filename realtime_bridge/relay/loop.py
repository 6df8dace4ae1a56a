"""Relay of events from the log to one sink. One for each; knows nothing of what sinks do.

Only the holder of the sink's lease delivers; others stand by. A sink that writes to the same database delivers and
moves the cursor in one transaction. Any other delivers first and moves after: a crash between repeats, it never loses.
Accounts take turns, so a burst of one holds up the others by a page; the events of an account, hence of a conversation,
keep the order of the log. What listeners have perhaps not heard is delivered again, before what is newer.
"""

import asyncio
import contextlib
import time
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg
import structlog
from psycopg import AsyncConnection

from realtime_bridge import metrics
from realtime_bridge.event_log import leases
from realtime_bridge.event_log.cursor import Cursor
from realtime_bridge.event_log.event import Event
from realtime_bridge.event_log.leases import Lease, LeaseLost
from realtime_bridge.event_log.reading import Page, Pages
from realtime_bridge.relay import health, parked
from realtime_bridge.relay import sink as relay_sink
from realtime_bridge.relay.health import BreakerState, SinkHealth
from realtime_bridge.relay.heard import Echo, HeardMark
from realtime_bridge.relay.reach import Reach
from realtime_bridge.relay.sink import Everything, Feed, Listener, Nobody, Sink, SinkNotReady, SinkUnavailable
from realtime_bridge.relay.tenure import Tenure
from realtime_bridge.shared.database import Pool

log = structlog.get_logger(__name__)

PAGE = 500  # events a transaction: the database transport drains 20,000/s in batches of this size
PROBE = 10  # events tried while the breaker is open: enough to tell a bad event from a side that refuses all
POLL_S = 1.0  # the truth when nobody tells how far the log goes
UNHEARD_POLL_S = 0.25  # while something delivered is not known to be heard
ROUND_S = 120.0  # a page over the slowest transport that still works; past this the connection is given up
DATABASE_RETRY_S = 0.25  # a restarting Postgres is back within seconds; reconnecting sooner costs nothing
STANDBY_POLL_S = 1.0  # how often a standby asks for the lease


@dataclass(frozen=True, slots=True)
class Pause:
    seconds: float
    until_woken: bool = True
    """Whether news of an event ends it early; a back-off only ends early by `retry()`."""


class Relay:
    """Delivers one sink's share of the log, in order, until stopped."""

    def __init__(
        self,
        *,
        sink: Sink,
        pool: Pool,
        owner: str,
        page: int = PAGE,
        feed: Feed | None = None,
        echo: Echo | None = None,
        interest: Container[str] | None = None,
        listener: Listener | None = None,
        pages: Pages | None = None,
    ) -> None:
        """`interest`: the accounts whose events are worth waking for; None: all."""
        self.sink = sink
        self.feed: Feed = feed or Everything()
        self._listener: Listener = listener or Nobody()
        self._echo = echo
        self._interest = interest
        self._mark = HeardMark(Cursor(high_water=0))
        self._newest = 0  # delivered before the cursor went back; what commits late below it is repeated
        self.health = SinkHealth(sink.name, pool)
        self._pool = pool
        self._tenure = Tenure(sink.name, pool, owner)
        self._reach = Reach(page)
        self._pages = pages or Pages()
        self._is_behind = False
        self._last_token = -1
        self._news = asyncio.Event()
        self._news_at = 0.0
        self._again = asyncio.Event()
        self._stopping = asyncio.Event()

    @property
    def lease(self) -> Lease | None:
        """None while another bridge has it."""
        return self._tenure.lease

    def wake(self, account_id: str = "") -> None:
        """Say that there may be events; of one account when it is named, for which it may be too early to look."""
        if not account_id or self._interest is None or account_id in self._interest:
            self._tell()

    def grown(self, newest: int) -> None:
        """Say how far the log's ids go: what is not dealt with is looked at now."""
        if self.lease and (newest > self.lease.cursor.high_water or self.lease.cursor.holes):
            self._tell()

    def retry(self) -> None:
        """Say that something has changed: look at once, whether or not the sink failed just now."""
        self._tell()
        self._again.set()

    def _tell(self) -> None:
        self._news_at = time.monotonic()
        self._news.set()

    def stop(self) -> None:
        self._stopping.set()
        self.retry()

    async def run(self) -> None:
        """Hold the lease and deliver until `stop()`; survives every failure of the database and of the sink."""
        async with self._tenure.kept():
            while not self._stopping.is_set():
                await self._wait(await self._step())

    async def run_once(self) -> int:
        """Deliver one page and move the cursor; return how many events were settled.

        Raises SinkUnavailable or LeaseLost; the cursor then stands behind what was settled before.
        """
        lease = self._tenure.held
        is_fed, began = self.feed.is_open, time.monotonic()
        limit = PROBE if is_fed and self.health.breaker.state is BreakerState.OPEN else self._reach.limit
        async with self._pool.connection() as connection:
            if self._echo:
                lease = await self._listen(self._echo, connection, lease, is_fed=is_fed)
            ahead = self._reach.look_ahead(lease.cursor)
            page = await self._pages.read(connection, lease.cursor, limit, ahead, not_before=self._news_at)
            self._reach.looked(ahead, is_shared=page.is_shared)
            self._is_behind = page.first_left is not None
            chosen = self.feed.choose(page.events)
            if is_fed and self.sink.name in page.replays:
                await parked.replay(connection, self.sink, self._listener, lease, limit)
            settled = await self._settle(connection, lease, page, chosen)
        self._reach.settled(settled, time.monotonic() - began)
        if chosen or not page.events or not is_fed:
            await self.health.delivered(self.lease)
        return settled

    async def acquire(self) -> bool:
        """Take the lease and load the cursor; False while another bridge holds it."""
        lease = await self._tenure.take()
        if lease is None:
            return False
        if lease.token != self._last_token + 1:
            self.health.forget()
            self._mark.follow(lease.heard or lease.cursor)
            if self._echo:
                self._echo.take_over(lease.readers, has_unheard=lease.heard is not None)
            if lease.delivered_count:
                self.sink.resume()
                self._listener.resumed()
        if self._mark.cursor != lease.cursor:
            self._mark.sent(lease.cursor, time.monotonic())
        self._last_token = lease.token
        return True

    async def _listen(self, echo: Echo, connection: AsyncConnection[Any], lease: Lease, *, is_fed: bool) -> Lease:
        """Learn what was heard of what was delivered; go back to it when something was not. Returns the lease."""
        mark = self._mark
        if not is_fed:
            mark.follow(lease.cursor)
        await echo.look(connection, is_unheard=mark.cursor != lease.cursor)
        mark.hear(echo.heard_until)
        must_go_back = echo.must_go_back
        if must_go_back and mark.cursor != lease.cursor:
            log.warning("going back", sink=self.sink.name, after=lease.cursor.high_water, to=mark.cursor.high_water)
            self._newest = max(self._newest, lease.cursor.high_water)
            mark.follow(mark.cursor)
        if mark.cursor != lease.cursor if must_go_back else lease.heard and mark.cursor == lease.cursor:
            lease = replace(lease, cursor=mark.cursor, heard=None)
            await leases.move(connection, lease)
            self._tenure.lease = lease
        if must_go_back:
            echo.went_back()
        return lease

    async def _settle(self, connection: AsyncConnection[Any], lease: Lease, page: Page, chosen: Sequence[Event]) -> int:
        """Deliver the `chosen` of a page and pass over the others; the cursor moves past both, under the same fence."""
        if not page.events and page.advance(lease.cursor, 0) == lease.cursor:
            return 0
        async with relay_sink.delivered(self.sink, connection, chosen, self._listener) as delivery:
            settled = delivery.passed(page.events, chosen)
            done = chosen[: delivery.settled]
            first = [event for event in done if event.id > self._newest]
            refused = sum(refusal.event.id > self._newest for refusal in delivery.refused)
            delivered = len(first) - refused
            lease = replace(
                lease,
                cursor=page.advance(lease.cursor, settled),
                delivered_count=lease.delivered_count + delivered,
                heard=self._mark.cursor if self._echo and (done or lease.heard) else None,
                readers=tuple(self._echo.readers) if self._echo else (),
            )
            await parked.park(connection, self.sink.name, delivery.refused)
            again = len(done) - len(first)
            await leases.move(connection, lease, delivered, again, is_repeatable=not self.sink.transactional)
        self._tenure.lease = lease
        if lease.heard:
            self._mark.sent(lease.cursor, time.monotonic())
        else:
            self._mark.follow(lease.cursor)
        health.observe(self.sink.name, lease.cursor, first, refused)
        metrics.SENT_AGAIN.inc(again)
        self._listener.passed(first)
        metrics.SKIPPED.labels(self.sink.name).inc(settled - delivery.settled)
        if delivery.unavailable:
            raise delivery.unavailable
        return settled

    async def _step(self) -> Pause:
        """Do one round; return how long to pause before the next."""
        try:
            if self.lease is None and not await self.acquire():
                return Pause(STANDBY_POLL_S)
            async with asyncio.timeout(ROUND_S):
                settled = await self.run_once()
        except SinkNotReady as reason:
            await self.health.waiting(self.lease, str(reason))
            return Pause(reason.retry_after_s or POLL_S, until_woken=False)
        except SinkUnavailable as reason:
            return Pause(await self.health.failed(self.lease, reason), until_woken=False)
        except LeaseLost as reason:
            log.warning("lease lost", sink=self.sink.name, reason=str(reason))
            self._tenure.forget()
            return Pause(STANDBY_POLL_S)
        except (psycopg.Error, TimeoutError) as error:
            self._tenure.forget()  # whether the last commit went through is only known to the database: read it again
            log.warning("database unavailable", sink=self.sink.name, error=str(error).strip())
            return Pause(DATABASE_RETRY_S, until_woken=False)
        is_heard = self.lease is None or self._mark.cursor == self.lease.cursor
        return Pause(0.0 if settled and self._is_behind else POLL_S if is_heard else UNHEARD_POLL_S)

    async def _wait(self, pause: Pause) -> None:
        waiter = self._news if pause.until_woken else self._again
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(waiter.wait(), pause.seconds)
        self._news.clear()
        self._again.clear()
