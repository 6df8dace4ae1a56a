"""What a relay's sink is fed: asked once for each page. What it is not fed, its cursor passes without delivering.

So a side that is switched on again goes on from now, and not from a backlog that its clients have caught up long ago.
"""

from collections.abc import Sequence
from typing import Protocol

from realtime_bridge.event_log.event import Event


class Feed(Protocol):
    """Chooses from a page. Raises SinkNotReady while it cannot know: then nothing is passed over."""

    @property
    def is_open(self) -> bool:
        """False while the sink is fed nothing at all."""

    def choose(self, events: Sequence[Event]) -> Sequence[Event]:
        """Return those of `events` to deliver, in their order."""


class Everything:
    """A sink that is always fed."""

    is_open = True

    def choose(self, events: Sequence[Event]) -> Sequence[Event]:
        return events
