"""Census of who has moved, for metrics and plans. Beside the keeper's judging: that waits for no count."""

import asyncio
import contextlib

import psycopg
import structlog

from realtime_bridge.rollout import adoption, metrics
from realtime_bridge.rollout.adoption import Adoption
from realtime_bridge.rollout.dial.errors import NotCounted
from realtime_bridge.shared.database import Pool

log = structlog.get_logger(__name__)

EVERY_S = 15.0  # as often as Prometheus usually looks
FRESH_S = 2.0  # what cuts people off is not decided by an older count
NOT_OURS_S = 0.5  # between looks at whether it is for this bridge to count


class Census:
    """The last count, of the bridge that keeps the gate: all of them would show the same."""

    def __init__(self, *, pool: Pool, flag: str) -> None:
        self._pool = pool
        self._flag = flag
        self._is_ours = False
        self._wanted = asyncio.Event()
        self._found: Adoption | None = None
        self._found_at = float("-inf")

    def set_ours(self, *, is_ours: bool) -> None:
        """Say whether this bridge counts; it shows nothing any more as soon as another one does."""
        if self._is_ours and not is_ours:
            self._show(None)
        if is_ours and not self._is_ours:
            self._wanted.set()
        self._is_ours = is_ours

    def find(self) -> Adoption | None:
        """Return a count to decide by, or None: that nobody is left is counted again if it is not fresh."""
        is_fresh = asyncio.get_running_loop().time() - self._found_at <= FRESH_S
        if self._found and not self._found.left_count and not is_fresh:
            self._wanted.set()
            return None
        return self._found

    async def run(self) -> None:
        """Count each EVERY_S, and when a fresh count is wanted; survives every failure of the database."""
        while True:
            if self._is_ours:
                self._wanted.clear()
                await self.count_once()
                if not self._is_ours:
                    self._show(None)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), EVERY_S if self._is_ours else NOT_OURS_S)

    async def count_once(self) -> None:
        """Count and show; what cannot be counted in time is shown as nothing, and never as what it was before."""
        found = None
        try:
            async with self._pool.connection() as connection:
                found = await adoption.read(connection, self._flag, named=1)
        except (psycopg.Error, NotCounted, TimeoutError) as error:
            log.warning("users not counted", error=str(error).strip())
        self._show(found)

    def _show(self, found: Adoption | None) -> None:
        self._found, self._found_at = found, asyncio.get_running_loop().time()
        metrics.show_adoption(self._flag, found)
