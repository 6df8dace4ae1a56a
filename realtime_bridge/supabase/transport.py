"""Broadcasts, and the contract of what carries them to Supabase Realtime."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from psycopg import AsyncConnection


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
