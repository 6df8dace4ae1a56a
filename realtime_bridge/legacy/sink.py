"""The sink `legacy`: says the log to old clients, over sockets. In their dialect. Driven by the relay."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from psycopg import AsyncConnection

from realtime_bridge.event_log.event import Event
from realtime_bridge.legacy.cards import Card, CardsUnavailable, StoredCards, is_listed
from realtime_bridge.legacy.dialect import DialectError
from realtime_bridge.legacy.fanout.local import FanoutUnavailable
from realtime_bridge.legacy.frame import Emit
from realtime_bridge.legacy.socketio.dialect import emits_of
from realtime_bridge.legacy.socketio.server import LegacyServer
from realtime_bridge.relay.sink import Delivery, Refusal, SinkNotReady, SinkUnavailable

RECONNECT_GRACE_S = 3.0  # old clients reconnect 1 s after a loss, with up to half a second of jitter
BATCH_EVENTS = 20  # one entry of the fan-out stream: some 60 KB, and one round trip
CARDS_RETRY_S = 0.2  # the relay reads from the same database, which is the one to count its failures


class LegacySink:
    """Publishes in order, a batch at a time; a batch that is not published stops the page.

    After a restart or a takeover the old clients need a moment to come back: what is sent before they do is seen by
    nobody. So when deliveries are *resumed*, the sink first holds for `reconnect_grace_s`.
    """

    name = "legacy"
    transactional = False

    def __init__(
        self,
        server: LegacyServer,
        cards: StoredCards,
        *,
        reconnect_grace_s: float = RECONNECT_GRACE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._server = server
        self._cards = cards
        self._grace_s = reconnect_grace_s
        self._clock = clock
        self._not_before = clock()

    def resume(self) -> None:
        """Say that a cursor which has delivered before was just taken over: hold once more for the grace time."""
        self._not_before = self._clock() + self._grace_s

    def hold_s(self) -> float:
        """Return how long to wait before delivering; 0 means go."""
        return max(0.0, self._not_before - self._clock())

    async def deliver(self, events: Sequence[Event], connection: AsyncConnection[Any] | None) -> Delivery:  # noqa: ARG002
        """Publish `events`; what the dialect cannot say is refused, and stops nothing.

        Raises SinkNotReady while holding or when conversations cannot be read, SinkUnavailable when not even the first
        batch was published.
        """
        if (hold_s := self.hold_s()) > 0:
            raise SinkNotReady("clients are reconnecting", retry_after_s=hold_s)
        settled = 0
        refused: list[Refusal] = []
        reason: SinkUnavailable
        while batch := events[settled : settled + BATCH_EVENTS]:
            try:
                cards = await self._cards.read_cards(event.conversation_id for event in batch if is_listed(event))
                emits, unsayable = _translate(batch, cards)
                await self._server.publish(emits)
            except (FanoutUnavailable, CardsUnavailable) as error:
                reason = SinkUnavailable(str(error))
                if isinstance(error, CardsUnavailable):
                    reason = SinkNotReady(f"The conversations cannot be read: {error}", retry_after_s=CARDS_RETRY_S)
                if settled == 0:
                    raise reason from None
                return Delivery(settled=settled, refused=tuple(refused), unavailable=reason)
            settled += len(batch)
            refused += unsayable
        return Delivery(settled=settled, refused=tuple(refused))


def _translate(events: Sequence[Event], cards: Mapping[int, Card]) -> tuple[list[Emit], list[Refusal]]:
    """Return what to send. What an operator asked for again is in no order, or it would be dropped as a repeat."""
    emits: list[Emit] = []
    refused: list[Refusal] = []
    for event in events:
        try:
            said = emits_of(event, cards.get(event.conversation_id))
            emits += [replace(emit, seq=None) if event.is_replay else emit for emit in said]
        except DialectError as error:
            refused.append(Refusal(event=event, reason=str(error)))
    return emits, refused
