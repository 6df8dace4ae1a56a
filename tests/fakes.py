"""Small working stand-ins for the outside of the bridge."""

from collections.abc import Callable, Sequence
from typing import Any

from psycopg import AsyncConnection

from realtime_bridge.event_log.event import Event
from realtime_bridge.relay.sink import Delivery, Refusal, SinkUnavailable


class RecordingSink:
    """A sink in memory: keeps what it was given, and fails, refuses or breaks as told."""

    transactional = False

    def __init__(self, name: str = "legacy") -> None:
        self.name = name
        self.events: list[Event] = []
        self.resumed = 0
        self.unavailable: SinkUnavailable | None = None
        self.refuses: Callable[[Event], bool] = lambda _: False
        self.breaks_on: Callable[[Event], bool] = lambda _: False

    def resume(self) -> None:
        self.resumed += 1

    async def deliver(self, events: Sequence[Event], connection: AsyncConnection[Any] | None) -> Delivery:
        assert connection is None
        refused: list[Refusal] = []
        for settled, event in enumerate(events):
            if self.unavailable:
                if settled == 0:
                    raise self.unavailable
                return Delivery(settled=settled, refused=tuple(refused), unavailable=self.unavailable)
            if self.breaks_on(event):
                raise RuntimeError("broken by this event")
            if self.refuses(event):
                refused.append(Refusal(event=event, reason="refused by this sink"))
            else:
                self.events.append(event)
        return Delivery(settled=len(events), refused=tuple(refused))

    @property
    def contents(self) -> list[str]:
        return [event.payload["content"] for event in self.events]
