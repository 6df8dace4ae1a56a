"""Canary: it writes messages and looks for them on both sides.

One bridge measures, the others wait for its lock; where one is there that delivers to no side, it is that one, so that
what stalls a delivering bridge does not stall who measures it. Before anything counts, a message has to be seen on
every side that is fed: what a restart or a change of stage disturbs for a moment is not held against a side.

It sends at fixed moments and counts from them. What it did not send in time, because this process stood still or the
database did not answer, is as late as the message that comes after it.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
import structlog

from realtime_bridge import metrics
from realtime_bridge.parity import canary_log
from realtime_bridge.parity.ears import Ear, Hear
from realtime_bridge.parity.ledger import Ledger
from realtime_bridge.parity.ticks import Schedule
from realtime_bridge.rollout.dial.stages import Side
from realtime_bridge.shared import database

log = structlog.get_logger(__name__)

LOCK_POLL_S = 1.0  # a standby takes over within a second or so of the connection's end
WARM_UP_TIMEOUT_S = 15.0  # then it is no start any more: not to be heard is a failure
LOOK_EVERY_S = 2.0  # how often unseen events are asked for; what is unseen in two looks is lost
FORGET_EVERY_S = 60.0
RETRY_S = 1.0
RATE_LOOK_S = 1.0  # the dial may have been turned meanwhile, and between rollouts a tick is a minute away

Ears = Callable[[int, Hear], Sequence[Ear]]


async def _never(_: psycopg.AsyncConnection[Any]) -> bool:
    return False


@dataclass(kw_only=True, eq=False, repr=False)
class Canary:
    """`rate_per_s` and `feeds` are asked before each message; `ears` makes the two clients of a conversation."""

    database_url: str
    ears: Ears
    feeds: Callable[[], Iterable[Side]]
    rate_per_s: Callable[[], float]
    ledger: Ledger
    clock: Callable[[], float] = time.monotonic
    is_for_others: Callable[[psycopg.AsyncConnection[Any]], Awaitable[bool]] = _never
    """This bridge delivers and another one that does not could measure, from outside."""
    is_measuring: bool = False
    _warm: dict[Side, bool] = field(default_factory=lambda: dict.fromkeys(Side, False))
    _fed: frozenset[Side] = frozenset()
    _apart_since: dict[Side, float] = field(default_factory=dict)

    async def run(self) -> None:
        """Measure whenever the lock is ours, until cancelled; survives every failure of the database."""
        url = database.bounded(self.database_url, "canary")
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(url, autocommit=True) as guard:
                    while await self.is_for_others(guard) or not await canary_log.take_lock(guard):  # noqa: ASYNC110
                        await asyncio.sleep(LOCK_POLL_S)
                    await self._measure(guard)
            except (psycopg.Error, OSError) as error:
                log.info("canary waits for the database", error=str(error).strip())
            await asyncio.sleep(RETRY_S)

    async def _measure(self, guard: psycopg.AsyncConnection[Any]) -> None:
        conversation_id = await canary_log.ensure(guard)
        ears = self.ears(conversation_id, self._hear)
        keeping = asyncio.create_task(self._keep_open(ears))
        log.info("canary measures", conversation_id=conversation_id)
        self.is_measuring = True
        look_at = forget_at = self.clock()
        schedule = Schedule(self.rate_per_s, self.clock)
        try:
            while True:
                await self._wait_for_tick(schedule)
                started = self.clock()
                if due := schedule.take():
                    await self.run_once(guard, conversation_id, ears, due)
                if started >= look_at:
                    look_at = started + LOOK_EVERY_S
                    await self._look(guard, conversation_id)
                    if await self.is_for_others(guard):
                        log.info("canary leaves the measuring to a bridge that delivers nothing")
                        return
                if started >= forget_at:
                    forget_at = started + FORGET_EVERY_S
                    await canary_log.forget(guard, conversation_id)
        finally:
            self.is_measuring = False
            self._warm = dict.fromkeys(Side, False)
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
            for ear in ears:
                self.ledger.excuse(ear.side)
                with contextlib.suppress(Exception):
                    await ear.close()

    async def _wait_for_tick(self, schedule: Schedule) -> None:
        """Wait a second at most, also while nothing is due: the dial may be turned meanwhile, and back again."""
        self._follow_dial()
        await asyncio.sleep(min(schedule.wait_s, RATE_LOOK_S))

    async def run_once(
        self,
        connection: psycopg.AsyncConnection[Any],
        conversation_id: int,
        ears: Sequence[Ear],
        due: Sequence[float] = (),
    ) -> int:
        """Send the message that is `due`, the last of several also for those before it; note who is to show it."""
        at, *missed = due or [self.clock()]
        self._follow_dial()
        for ear in ears:
            self._note_absence(ear)
        for side in self._fed:
            self.ledger.due(side, self.rate_per_s())
        expected = [ear.side for ear in ears if ear.side in self._fed and self._is_joined(ear) and self._warm[ear.side]]
        seq = await canary_log.append(connection, conversation_id)
        self.ledger.sent(seq, at, expected, missed)
        return seq

    def _follow_dial(self) -> None:
        """A side that is fed only now starts anew, one that is fed no longer is not waited for."""
        fed = frozenset(self.feeds())
        for side in fed ^ self._fed:
            self.ledger.excuse(side)
            self._warm[side] = False
        self._fed = fed

    def _is_joined(self, ear: Ear) -> bool:
        if not ear.is_joined and self._warm[ear.side]:
            self.ledger.excuse(ear.side)
            self._warm[ear.side] = False
        return ear.is_joined

    def _note_absence(self, ear: Ear) -> None:
        """Count what is sent while a fed side does not let the canary in, or shows it nothing, for long."""
        side, now = ear.side, self.clock()
        if side not in self._fed or self._warm[side]:
            self._apart_since.pop(side, None)
        elif now - self._apart_since.setdefault(side, now) > WARM_UP_TIMEOUT_S:
            self.ledger.unjoined(side)

    def _hear(self, side: Side, payload: Mapping[str, Any]) -> None:
        seq = payload.get("seq")
        if side not in self._fed or not isinstance(seq, int):
            return
        if not self._warm[side]:
            self._warm[side] = True  # this message itself was sent before anything counted
            return
        latency_ms = self.ledger.saw(side, seq, self.clock())
        if latency_ms is not None:
            metrics.MESSAGE_LATENCY.labels(side.value).observe(latency_ms / 1_000)

    async def _look(self, connection: psycopg.AsyncConnection[Any], conversation_id: int) -> None:
        for side in Side:
            unseen = self.ledger.unseen(side, self.clock())
            settled = await canary_log.find_settled(connection, conversation_id, side, unseen)
            if lost := self.ledger.settle(side, settled):
                metrics.PARITY_LOST.labels(side.value).inc(len(lost))
                log.warning("events lost on the way", side=side.value, seqs=lost[:20], count=len(lost))

    async def _keep_open(self, ears: Sequence[Ear]) -> None:
        while True:
            for ear in ears:
                if not ear.is_joined:
                    await ear.open()
            await asyncio.sleep(0.25)
