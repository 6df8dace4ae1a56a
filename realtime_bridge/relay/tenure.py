"""Tenure of one sink: its lease taken, kept alive, given back."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import psycopg
import structlog

from realtime_bridge import metrics
from realtime_bridge.event_log import leases
from realtime_bridge.event_log.leases import Lease, LeaseLost
from realtime_bridge.shared.database import Pool

log = structlog.get_logger(__name__)

RENEWAL_END_S = 2.0  # a renewal caught half way gives up with its statement; the release does not wait for more


class Tenure:
    """`lease` is None while another bridge has it, or the database is away."""

    def __init__(self, sink: str, pool: Pool, owner: str) -> None:
        self.lease: Lease | None = None
        self._sink = sink
        self._pool = pool
        self._owner = owner

    async def take(self) -> Lease | None:
        """Take the lease and read the cursor; None while another bridge holds it."""
        async with self._pool.connection() as connection:
            self.lease = await leases.claim(connection, self._sink, self._owner)
        metrics.LEASE_HELD.labels(self._sink).set(self.lease is not None)
        if self.lease:
            log.info("lease taken", sink=self._sink, lease_token=self.lease.token)
        return self.lease

    @property
    def held(self) -> Lease:
        """Raises LeaseLost."""
        if self.lease is None:
            raise LeaseLost(f"No lease on sink {self._sink}.")
        return self.lease

    def forget(self) -> None:
        self.lease = None
        metrics.LEASE_HELD.labels(self._sink).set(0)

    @contextlib.asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Keep inside the block what lease there is, and give it back at the end."""
        renewal = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            renewal.cancel()
            await asyncio.wait([renewal], timeout=RENEWAL_END_S)
            if self.lease:
                with contextlib.suppress(psycopg.Error):
                    async with self._pool.connection() as connection:
                        await leases.release(connection, self.lease)
            self.forget()

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(leases.RENEW_S)
            if (lease := self.lease) is None:
                continue
            try:
                async with self._pool.connection() as connection:
                    await leases.renew(connection, lease)
            except LeaseLost:
                if self.lease and self.lease.token == lease.token:
                    self.forget()
            except psycopg.Error as error:
                log.warning("lease not renewed", sink=self._sink, error=str(error).strip())
