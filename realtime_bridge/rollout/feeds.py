"""Feeds of each side at each stage of the dial. Asked by the relay for every page (relay/sink.py)."""

from collections.abc import Callable, Sequence

from realtime_bridge.event_log.event import Event
from realtime_bridge.relay.sink import SinkNotReady
from realtime_bridge.rollout.dial.decision import Reading
from realtime_bridge.rollout.dial.follower import Dial
from realtime_bridge.rollout.dial.stages import Side, StageName
from realtime_bridge.shared.variables import Told

UNKNOWN_RETRY_S = 0.2  # at the start, until the dial was read once


class DialFeed:
    """All or nothing, by the stage."""

    def __init__(self, dial: Dial, side: Side) -> None:
        self._dial = dial
        self._side = side

    @property
    def is_open(self) -> bool:
        return self._side in self.reading.stage.feeds

    @property
    def reading(self) -> Reading:
        """Raises SinkNotReady as long as the dial is unknown: passing over an event cannot be taken back."""
        if self._dial.reading is None:
            raise SinkNotReady("The dial has not been read yet.", UNKNOWN_RETRY_S)
        return self._dial.reading

    def choose(self, events: Sequence[Event]) -> Sequence[Event]:
        return events if self.is_open else ()


class CohortFeed(DialFeed):
    """Saves messages: Supabase is fed only conversations in which somebody is told Supabase.

    Whoever joins the cohort later catches up by seq, as after any change of provider. In shadow the cohort is empty but
    for overrides, and what no client is to see is not measured; the canary's own conversation is always fed.
    """

    def __init__(self, dial: Dial, *, always: Callable[[Event], bool] = lambda _: False) -> None:
        super().__init__(dial, Side.SUPABASE)
        self._always = always

    def choose(self, events: Sequence[Event]) -> Sequence[Event]:
        reading = self.reading
        if Side.SUPABASE not in reading.stage.feeds:
            return ()
        if reading.stage.name is StageName.COMPLETE:
            return events
        return [event for event in events if self._always(event) or _has_member(reading, event)]


def _has_member(reading: Reading, event: Event) -> bool:
    return any(reading.decide(user, event.account_id).provider is Told.SUPABASE for user in event.participants)
