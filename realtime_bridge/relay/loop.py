"""Carry events from the log to one sink. Started by `__main__`, one relay for each; knows nothing of what sinks do.

Only the holder of the sink's lease delivers; others stand by. A sink that writes to the same database delivers and
moves the cursor in one transaction. Any other delivers first and moves after: a crash between repeats, it never loses.
Accounts take turns, so a burst of one holds up the others by a page; the events of an account, hence of a conversation,
keep the order of the log. What listeners have perhaps not heard is delivered again, before what is newer: the cursor
goes back to where they were known to have heard.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg
import structlog
from psycopg import AsyncConnection

from realtime_bridge import metrics
from realtime_bridge.event_log import leases as cursors
from realtime_bridge.event_log.cursor import Cursor
from realtime_bridge.event_log.event import Event
from realtime_bridge.event_log.leases import Lease, LeaseLost
from realtime_bridge.event_log.reading import Page, read_page
from realtime_bridge.relay import health, parked
from realtime_bridge.relay import sink as relay_sink
from realtime_bridge.relay.health import BreakerState, SinkHealth
from realtime_bridge.relay.heard import Echo, HeardMark
from realtime_bridge.relay.reach import Reach
from realtime_bridge.relay.sink import Delivery, Everything, Feed, Sink, SinkNotReady, SinkUnavailable
from realtime_bridge.shared.database import Pool

log = structlog.get_logger(__name__)

PAGE = 500  # events a transaction: the database transport drains 20,000/s in batches of this size
PROBE = 10  # events tried while the breaker is open: enough to tell a bad event from a side that refuses all
POLL_S = 0.1  # the truth when a NOTIFY is lost; one indexed read
ROUND_S = 120.0  # a page over the slowest transport that still works; past this the connection is given up
DATABASE_RETRY_S = 0.25  # a restarting Postgres is back within seconds; reconnecting sooner costs nothing
RENEWAL_END_S = 2.0  # a renewal caught half way gives up with its statement; the release does not wait for more
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
    ) -> None:
        self.sink = sink
        self.feed: Feed = feed or Everything()
        self._echo = echo
        self._mark = HeardMark(Cursor(high_water=0))
        self._newest = 0
        """Id up to which everything was delivered before the cursor went back."""
        self.lease: Lease | None = None
        self.health = SinkHealth(sink.name, pool)
        self.tell_passed: Callable[[Sequence[Event]], None] = lambda _: None
        """Called with what was delivered for the first time, and not with what is replayed."""
        self._pool = pool
        self._owner = owner
        self._reach = Reach(page)
        self._is_behind = False
        self._last_token = -1
        self._news = asyncio.Event()
        self._again = asyncio.Event()
        self._stopping = asyncio.Event()

    def wake(self) -> None:
        """Say that there may be events."""
        self._news.set()

    def retry(self) -> None:
        """Say that something has changed: look at once, whether or not the sink failed just now."""
        self._news.set()
        self._again.set()

    def stop(self) -> None:
        self._stopping.set()
        self.retry()

    async def run(self) -> None:
        """Hold the lease and deliver until `stop()`; survives every failure of the database and of the sink."""
        renewal = asyncio.create_task(self._keep_lease())
        try:
            while not self._stopping.is_set():
                await self._wait(await self._step())
        finally:
            renewal.cancel()
            await asyncio.wait([renewal], timeout=RENEWAL_END_S)
            await self._release()

    async def run_once(self) -> int:
        """Deliver one page and move the cursor; return how many events were settled.

        Raises SinkUnavailable or LeaseLost; the cursor then stands behind what was settled before.
        """
        lease = self._held()
        is_fed = self.feed.is_open
        is_probe = self.health.breaker.state is BreakerState.OPEN and is_fed
        limit, began = PROBE if is_probe else self._reach.limit, time.monotonic()
        async with self._pool.connection() as connection:
            if self._echo:
                lease = await self._listen(self._echo, connection, lease, is_fed=is_fed)
            page = await self._read(connection, lease.cursor, limit)
            chosen = self.feed.choose(page.events)
            if page.replay_requested and is_fed:
                await self._replay(connection, lease, limit)
            settled = await self._settle(connection, lease, page, chosen)
        self._reach.settled(settled, time.monotonic() - began)
        if chosen or not page.events or not is_fed:
            await self.health.delivered(self.lease)
        return settled

    async def acquire(self) -> bool:
        """Take the lease and load the cursor; False while another bridge holds it."""
        async with self._pool.connection() as connection:
            self.lease = await cursors.claim(connection, self.sink.name, self._owner)
        metrics.LEASE_HELD.labels(self.sink.name).set(self.lease is not None)
        if self.lease is None:
            return False
        log.info("lease taken", sink=self.sink.name, lease_token=self.lease.token)
        if self.lease.token != self._last_token + 1:
            self.health.forget()
            self._mark.follow(self.lease.heard or self.lease.cursor)
            if self._echo:
                self._echo.take_over(self.lease.readers, has_unheard=self.lease.heard is not None)
            if self.lease.delivered_count:
                self.sink.resume()
        if self._mark.cursor != self.lease.cursor:
            self._mark.sent(self.lease.cursor, time.monotonic())
        self._last_token = self.lease.token
        return True

    async def _listen(self, echo: Echo, connection: AsyncConnection[Any], lease: Lease, *, is_fed: bool) -> Lease:
        """Learn what was heard of what was delivered; go back to it when something was not. Returns the lease."""
        mark = self._mark
        if not is_fed:
            mark.follow(lease.cursor)
        if mark.cursor != lease.cursor:
            await echo.look(connection)
            mark.hear(echo.heard_until)
        must_go_back = echo.must_go_back
        if must_go_back and mark.cursor != lease.cursor:
            log.warning("going back", sink=self.sink.name, after=lease.cursor.high_water, to=mark.cursor.high_water)
            self._newest = max(self._newest, lease.cursor.high_water)
            mark.follow(mark.cursor)
        if mark.cursor != lease.cursor if must_go_back else lease.heard and mark.cursor == lease.cursor:
            lease = replace(lease, cursor=mark.cursor, heard=None)
            await cursors.move(connection, lease)
            self.lease = lease
        if must_go_back:
            echo.went_back()
        return lease

    async def _read(self, connection: AsyncConnection[Any], cursor: Cursor, limit: int) -> Page:
        ahead = self._reach.look_ahead(cursor)
        page = await read_page(connection, self.sink.name, cursor, limit, ahead)
        self._reach.looked(ahead, is_shared=page.is_shared)
        self._is_behind = page.first_left is not None
        return page

    async def _settle(self, connection: AsyncConnection[Any], lease: Lease, page: Page, chosen: Sequence[Event]) -> int:
        """Deliver the `chosen` of a page and pass over the others; the cursor moves past both, under the same fence."""
        if not page.events and _advanced(lease, page, settled=0) == lease.cursor:
            return 0
        async with self._delivery(connection, chosen) as delivery:
            settled = _settled(page.events, chosen, delivery)
            done = chosen[: delivery.settled]
            first = [event for event in done if event.id > self._newest]
            refused = sum(refusal.event.id > self._newest for refusal in delivery.refused)
            delivered = len(first) - refused
            lease = replace(
                lease,
                cursor=_advanced(lease, page, settled),
                delivered_count=lease.delivered_count + delivered,
                heard=self._mark.cursor if self._echo and (done or lease.heard) else None,
                readers=tuple(self._echo.readers) if self._echo else (),
            )
            await parked.park(connection, self.sink.name, delivery.refused)
            await cursors.move(connection, lease, delivered, len(done) - len(first))
        self.lease = lease
        if lease.heard:
            self._mark.sent(lease.cursor, time.monotonic())
        else:
            self._mark.follow(lease.cursor)
        health.observe(self.sink.name, lease.cursor, first, refused)
        metrics.SENT_AGAIN.inc(len(done) - len(first))
        self.tell_passed(first)
        metrics.SKIPPED.labels(self.sink.name).inc(settled - delivery.settled)
        if delivery.unavailable:
            raise delivery.unavailable
        return settled

    async def _replay(self, connection: AsyncConnection[Any], lease: Lease, limit: int) -> None:
        """Deliver again what an operator asked for; what is refused again is parked again."""
        events = await parked.take_requested(connection, self.sink.name, limit)
        async with self._delivery(connection, events) as delivery:
            refused = {refusal.event.event_id for refusal in delivery.refused}
            done = [event.event_id for event in events[: delivery.settled] if event.event_id not in refused]
            await cursors.renew(connection, lease)
            await parked.unpark(connection, self.sink.name, done)
            await parked.park(connection, self.sink.name, delivery.refused)
        log.info("parked events replayed", sink=self.sink.name, delivered=len(done), refused=len(refused))
        if delivery.unavailable:
            raise delivery.unavailable

    @contextlib.asynccontextmanager
    async def _delivery(self, connection: AsyncConnection[Any], events: Sequence[Event]) -> AsyncIterator[Delivery]:
        """Deliver `events` and yield inside the transaction that records it: the same one if the sink allows it."""
        if not events:
            async with connection.transaction():
                yield Delivery(settled=0)
        elif self.sink.transactional:
            async with connection.transaction():
                yield await relay_sink.deliver(self.sink, events, connection)
        else:
            delivery = await relay_sink.deliver(self.sink, events, None)
            async with connection.transaction():
                yield delivery

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
            self._forget_lease()
            return Pause(STANDBY_POLL_S)
        except (psycopg.Error, TimeoutError) as error:
            self._forget_lease()  # whether the last commit went through is only known to the database: read it again
            log.warning("database unavailable", sink=self.sink.name, error=str(error).strip())
            return Pause(DATABASE_RETRY_S, until_woken=False)
        return Pause(0.0 if settled and self._is_behind else POLL_S)

    async def _wait(self, pause: Pause) -> None:
        waiter = self._news if pause.until_woken else self._again
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(waiter.wait(), pause.seconds)
        self._news.clear()
        self._again.clear()

    async def _keep_lease(self) -> None:
        while True:
            await asyncio.sleep(cursors.RENEW_S)
            lease = self.lease
            if lease is None:
                continue
            try:
                async with self._pool.connection() as connection:
                    await cursors.renew(connection, lease)
            except LeaseLost:
                if self.lease and self.lease.token == lease.token:
                    self._forget_lease()
            except psycopg.Error as error:
                log.warning("lease not renewed", sink=self.sink.name, error=str(error).strip())

    async def _release(self) -> None:
        if self.lease:
            with contextlib.suppress(psycopg.Error):
                async with self._pool.connection() as connection:
                    await cursors.release(connection, self.lease)
        self._forget_lease()

    def _held(self) -> Lease:
        if self.lease is None:
            raise LeaseLost(f"No lease on sink {self.sink.name}.")
        return self.lease

    def _forget_lease(self) -> None:
        self.lease = None
        metrics.LEASE_HELD.labels(self.sink.name).set(0)


def _settled(events: Sequence[Event], chosen: Sequence[Event], delivery: Delivery) -> int:
    """Return how many of the page are dealt with: all up to the first chosen event that was not tried."""
    if delivery.settled == len(chosen):
        return len(events)
    return next(place for place, event in enumerate(events) if event.id == chosen[delivery.settled].id)


def _advanced(lease: Lease, page: Page, settled: int) -> Cursor:
    """Return the cursor after the first `settled` events of the page."""
    left = [event.id for event in page.events[settled:]] + ([page.first_left] if page.first_left is not None else [])
    ids = sorted(event.id for event in page.events[:settled])
    return lease.cursor.advance(ids, page.snapshot, up_to=min(left) - 1 if left else None)
