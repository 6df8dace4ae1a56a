"""Broadcasts, and the contract of what carries them to Supabase Realtime."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from psycopg import AsyncConnection, DataError, IntegrityError

from realtime_bridge.relay.sink import EventRefused
from realtime_bridge.shared.database import Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Broadcast:
    """One message for one private channel; `topic` has no `realtime:` prefix, `id` arrives as `meta.id`.

    With a *hint* nothing is lost: it keeps no order, so it waits for nobody to listen and is not sent again.
    """

    topic: str
    event: str
    payload: dict[str, Any]
    id: UUID
    payload_bytes: int = 0
    is_hint: bool = False


class Transport(Protocol):
    """Sends all of a batch, in order, or nothing of it.

    Raises SinkUnavailable when nothing can be sent now; EventRefused, or through a connection the database's own error,
    when the batch holds something that never can.
    """

    @property
    def transactional(self) -> bool: ...

    @property
    def max_batch(self) -> int: ...

    async def send(self, broadcasts: Sequence[Broadcast], connection: AsyncConnection[Any] | None) -> None: ...

    async def close(self) -> None: ...


async def send_aside(transport: Transport, pool: Pool, broadcasts: Sequence[Broadcast]) -> None:
    """Send beside the relay: what is written as rows, in a transaction of its own. Raises SinkError."""
    if not transport.transactional:
        await transport.send(broadcasts, None)
        return
    try:
        async with pool.connection() as connection, connection.transaction():
            await transport.send(broadcasts, connection)
    except (DataError, IntegrityError) as error:  # the rest of what it says may hold the row
        raise EventRefused(error.diag.message_primary or str(error)) from error
