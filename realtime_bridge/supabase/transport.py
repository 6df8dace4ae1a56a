"""Broadcasts, the contract of what carries them to Supabase Realtime, and how refused ones are left out."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from psycopg import AsyncConnection

from realtime_bridge.relay.sink import EventRefused


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

    Raises SinkUnavailable when nothing can be sent now, EventRefused when the batch holds something that never can.
    """

    @property
    def transactional(self) -> bool: ...

    @property
    def max_batch(self) -> int: ...

    async def send(self, broadcasts: Sequence[Broadcast], connection: AsyncConnection[Any] | None) -> None: ...

    async def close(self) -> None: ...


Send = Callable[[Sequence[Broadcast]], Awaitable[None]]


async def send_all_but_refused(send: Send, broadcasts: Sequence[Broadcast]) -> dict[int, str]:
    """Return, by place, why broadcasts were refused; all others have been sent. Raises SinkUnavailable.

    A refusal that names messages leaves out those; one that names none is halved until the culprit stands alone.
    """
    if not broadcasts:
        return {}
    try:
        await send(broadcasts)
    except EventRefused as reason:
        named = {place: why for place, why in reason.named.items() if place < len(broadcasts)}
        if named:
            return named | await _send_parts(send, broadcasts, [_others(broadcasts, named)])
        if len(broadcasts) == 1:
            return {0: str(reason)}
        places = range(len(broadcasts))
        middle = len(broadcasts) // 2
        return await _send_parts(send, broadcasts, [places[:middle], places[middle:]])
    return {}


def _others(broadcasts: Sequence[Broadcast], named: dict[int, str]) -> Sequence[int]:
    return [place for place in range(len(broadcasts)) if place not in named]


async def _send_parts(send: Send, broadcasts: Sequence[Broadcast], parts: Sequence[Sequence[int]]) -> dict[int, str]:
    refused: dict[int, str] = {}
    for part in parts:
        found = await send_all_but_refused(send, [broadcasts[place] for place in part])
        refused |= {part[place]: why for place, why in found.items()}
    return refused
