"""Sends all of a batch but what can never be sent: culprits are left out, their neighbours go on, in order."""

from collections.abc import Awaitable, Callable, Sequence

from realtime_bridge.relay.sink import EventRefused
from realtime_bridge.supabase.transport import Broadcast

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
