"""Broadcasts that went through the database lately, until it is known that Realtime has heard them. Pure.

Written by the database transport, told by the probe what was heard; what is left is sent again when Realtime was away.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from realtime_bridge.transports.base import Broadcast

KEEP_S = 60.0  # a silent path is known within seconds, and a slot is back in some ten; the rest is for a busy machine
KEEP = 20_000  # broadcasts; beyond it clients find the gap in seq and fetch it
KEEP_BYTES = 32_000_000  # of payloads; twenty thousand ordinary ones have half of it
MARGIN_S = 1.0  # a row may commit after a probe that was sent later


@dataclass(frozen=True, slots=True)
class _Sent:
    at: float
    broadcast: Broadcast


class SentLately:
    """In the order of sending; bounded in time, number and bytes."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.last_at: float | None = None
        self._clock = clock
        self._sent: deque[_Sent] = deque()
        self._bytes = 0

    @property
    def count(self) -> int:
        self._forget_before(self._clock() - KEEP_S)
        return len(self._sent)

    def note(self, broadcasts: Sequence[Broadcast]) -> None:
        self.last_at = now = self._clock()
        self._sent.extend(_Sent(now, broadcast) for broadcast in broadcasts)
        self._bytes += sum(broadcast.payload_bytes for broadcast in broadcasts)
        self._forget_before(now - KEEP_S)

    def heard_until(self, at: float) -> None:
        """Forget what was sent well before something that was heard: the path keeps order."""
        self._forget_before(at - MARGIN_S)

    def take(self) -> list[Broadcast]:
        """Return all that is perhaps unheard, oldest first, and forget it."""
        self._forget_before(self._clock() - KEEP_S)
        unheard = [sent.broadcast for sent in self._sent]
        self._sent.clear()
        self._bytes = 0
        return unheard

    def _forget_before(self, at: float) -> None:
        """Forget what is older, or too much to be kept."""
        sent = self._sent
        while sent and (sent[0].at < at or len(sent) > KEEP or self._bytes > KEEP_BYTES):
            self._bytes -= sent.popleft().broadcast.payload_bytes
