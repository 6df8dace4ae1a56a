"""Keeper of the gate: judges, turns back, carries out plans. One per bridge; the holder of the lease acts.

It looks at everything each POLL_S, whether a plan runs, is paused, or waits for an approval.
"""

import asyncio
import contextlib
from dataclasses import dataclass, field
from datetime import UTC, datetime

import psycopg
import structlog

from realtime_bridge.rollout import announcer, changes, metrics, store
from realtime_bridge.rollout import plan as schedule
from realtime_bridge.rollout.announcer import Announcer
from realtime_bridge.rollout.census import Census
from realtime_bridge.rollout.dial.errors import ApprovalNeeded, NobodyFollows, RolloutError, UsersLeft
from realtime_bridge.rollout.dial.follower import Dial
from realtime_bridge.rollout.dial.stages import StageName
from realtime_bridge.rollout.dial.store import Connection
from realtime_bridge.rollout.gate import slots
from realtime_bridge.rollout.gate import store as judging
from realtime_bridge.rollout.gate.findings import Outcome
from realtime_bridge.rollout.gate.store import Keeping
from realtime_bridge.rollout.gate.verdict import Verdict
from realtime_bridge.rollout.judgement import NOT_JUDGED, evaluate
from realtime_bridge.rollout.operators import Who
from realtime_bridge.rollout.wishes import Wish
from realtime_bridge.shared.database import Pool

log = structlog.get_logger(__name__)

POLL_S = 0.5  # windows come every SLOT_S at most; of failures that may be an outage the keeper is told
ANNOUNCE_POLL_S = 0.1  # of a variable; clients are told this long after the keeper knows
REPEAT_S = 2.0  # a client that was told asks within a second; who has not is told again, and then …
MAX_REPEAT_S = 60.0  # … ever less often, until its token runs out
RETRY_S = 1.0
END_S = 2.0  # an announcement that is cut short is made again by the next keeper
FORGET_S = 3_600.0
ALARM_S = 600.0  # a fault that lasts is said again after this, and not twice a second
GATE, PLAN = "gate", "plan"  # actors in the audit


@dataclass(kw_only=True, eq=False, repr=False)
class GateKeeper:
    """Closes windows, judges them and acts on the verdict, as long as it holds the lease."""

    pool: Pool
    dial: Dial
    announcer: Announcer
    owner: str
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _keeping: Keeping | None = None
    _announced: int = 0
    _repeat_at: float = 0.0  # at once, also by a keeper that takes over
    _is_fresh: bool = True
    _alarmed_at: float = float("-inf")
    _forgot_at: float = float("-inf")
    _waits_for: str = ""

    def __post_init__(self) -> None:
        self.census = Census(pool=self.pool, flag=self.dial.flag)
        self._repeat_s = REPEAT_S
        self.dial.listen(self.wake)

    def wake(self, _of: str = "") -> None:
        """Say that there may be something to judge."""
        self._changed.set()

    def stop(self) -> None:
        self._stopping.set()
        self._changed.set()

    async def run(self) -> None:
        """Judge until `stop()`; survives every failure of the database. Beside it: what may take a while."""
        beside = [asyncio.create_task(part) for part in (self._keep_announcing(), self.census.run())]
        try:
            while not self._stopping.is_set():
                pause_s = POLL_S
                try:
                    await self.run_once()
                except (psycopg.Error, RolloutError, TimeoutError) as error:
                    log.warning("gate not judged", error=str(error).strip())
                    pause_s = RETRY_S
                await self._wait(pause_s)
        finally:
            for task in beside:
                task.cancel()
            await asyncio.wait(beside, timeout=END_S)
            with contextlib.suppress(psycopg.Error):
                async with self.pool.connection() as connection:
                    await judging.release(connection, self.dial.flag, self.owner)

    async def run_once(self) -> int:
        """Judge and act once; return how many changes of the dial that made."""
        flag = self.dial.flag
        async with self.pool.connection() as connection:
            self._keeping = keeping = await judging.claim(connection, flag, self.owner)
            self.census.set_ours(is_ours=keeping is not None)
            if keeping is None:
                self._repeat_at, self._is_fresh = 0.0, True
                return 0
            judged = await evaluate(connection, flag)
            verdict, dial = judged.verdict, judged.dial
            await judging.add_windows(connection, flag, dial.version, judged.closed)
            metrics.show_verdict(flag, verdict.outcome)
            turned = await self._act(connection, dial, verdict)
            await self.dial.run_once(connection)
        await self._forget()
        return turned

    async def _act(self, connection: Connection, dial: store.Dial, verdict: Verdict) -> int:
        if dial.stage.name in NOT_JUDGED:
            return 0
        if verdict.outcome is Outcome.FAIL:
            return await self._turn_back(connection, dial, verdict)
        return await self._follow_plan(connection, dial, verdict)

    async def _turn_back(self, connection: Connection, dial: store.Dial, verdict: Verdict) -> int:
        why = " ".join(verdict.reasons)
        figures = verdict.figures()
        if dial.stage.name is StageName.COMPLETE:
            now = asyncio.get_running_loop().time()
            if now >= self._alarmed_at + ALARM_S:
                self._alarmed_at = now
                metrics.ALARMS.labels(dial.flag).inc()
                log.error("gate fails at complete: legacy is not fed, so an operator has to decide", why=why)
                await store.note(connection, dial, Who(actor=GATE), "gate_failed", why, figures=figures)
            return 0
        version = await changes.roll_back(
            connection,
            dial.flag,
            by=Who(actor=GATE),
            why=why,
            action="gate_rollback",
            version=dial.version,
            figures=figures,
        )
        if version is None:
            return 0
        metrics.ROLLBACKS.labels(dial.flag).inc()
        log.error("gate failed, rolled back", from_stage=dial.stage.label, version=version, why=why)
        return 1

    async def _follow_plan(self, connection: Connection, dial: store.Dial, verdict: Verdict) -> int:
        plan = await store.find_plan(connection, dial.flag)
        if plan is None or plan.state != "running":
            return 0
        steps = schedule.parse(plan.steps)
        step = schedule.following(steps, dial.stage)
        if step is None:
            await store.set_plan_state(connection, dial.flag, "done", f"reached {dial.stage.label}")
            return 0
        is_due = datetime.now(UTC) >= schedule.holds_until(steps, dial.stage, dial.since)
        if not is_due or (verdict.outcome is not Outcome.PASS and dial.stage.name is not StageName.OFF):
            return 0
        request = await store.find_request(connection, dial.flag)
        is_last = step.stage.name is StageName.COMPLETE
        found = self.census.find() if is_last else None
        if (is_last and found is None) or (request is not None and request.version == dial.version):
            return 0
        why = f"plan of {plan.created_by}: {plan.reason}"
        wish = Wish(
            flag=dial.flag,
            stage=step.stage,
            by=Who(actor=PLAN, key_id=plan.key_id),
            why=why,
            version=dial.version,
            action="plan",
            asked_by=plan.created_by,
        )
        try:
            version = await changes.turn(connection, wish, verdict, found)
        except (ApprovalNeeded, NobodyFollows, UsersLeft) as reason:
            if str(reason) != self._waits_for:
                log.info("plan waits", reason=str(reason))
            self._waits_for = str(reason)
            return 0
        log.info("plan advanced", stage=step.stage.label, version=version)
        return 1

    async def announce_once(self) -> int:
        """Tell clients of what has changed, and again those who have not asked since; return how many there were.

        After news, and after taking over, there is a second round even if nobody was left to tell: a gateway worker
        that reads the dial late has perhaps just given somebody the old answer.
        """
        keeping, reading, now = self._keeping, self.dial.reading, asyncio.get_running_loop().time()
        if keeping is None or reading is None:
            return 0
        is_news = reading.revision > max(self._announced, keeping.announced_revision)
        if not is_news and now < self._repeat_at:
            return 0
        expired_s = announcer.EXPIRED_S if is_news else 0.0
        told = await self.announcer.announce(reading, lambda: self.dial.reading is reading, expired_s=expired_s)
        self._repeat_s = REPEAT_S if is_news else min(2 * self._repeat_s, MAX_REPEAT_S)
        self._repeat_at = now + self._repeat_s if told.may_answer or is_news or self._is_fresh else float("inf")
        self._is_fresh = False
        if is_news:
            self._announced = reading.revision
            async with self.pool.connection() as connection:
                await judging.note_announced(connection, reading.flag, keeping.token, reading.revision)
        return told.users

    async def _keep_announcing(self) -> None:
        while True:
            try:
                await self.announce_once()
            except (psycopg.Error, TimeoutError) as error:
                log.warning("rollout not announced", error=str(error).strip())
            await asyncio.sleep(ANNOUNCE_POLL_S)

    async def _forget(self) -> None:
        now = asyncio.get_running_loop().time()
        if now < self._forgot_at + FORGET_S:
            return
        self._forgot_at = now
        await self.announcer.forget()
        async with self.pool.connection() as connection:
            await slots.forget(connection)
            await judging.forget_windows(connection)

    async def _wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), seconds)
        self._changed.clear()
