"""Seat wanted in a channel, and how often a bridge may knock. Kept by a connection."""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from realtime import AsyncRealtimeChannel


class Allowance:
    """At most `most` times within any `window_s` seconds."""

    def __init__(self, most: int, window_s: float) -> None:
        self._window_s = window_s
        self._taken: deque[float] = deque(maxlen=most)

    def take(self) -> bool:
        """Return whether it may be done now, and count it if so."""
        now = time.monotonic()
        if len(self._taken) == self._taken.maxlen and now - self._taken[0] < self._window_s:
            return False
        self._taken.append(now)
        return True


RETRY_S = (0.25, 0.5, 1.0, 2.0)  # the last one repeats: who is back must not be taken for away
JOINS_PER_S = 20  # a fifth of the smallest plan's, for users reconnect at the same moment
TRACKS_PER_S = 5  # a quarter of the smallest plan's presence messages
CALLS, CALLS_WINDOW_S = 4, 31.0  # Supabase closes a channel that tracks more than five times within 30 s

Receive = Callable[[str, Mapping[str, Any]], None]
"""Called with the event's name and its payload. Must not block, and must not raise."""
OnPeople = Callable[[Mapping[str, Sequence[Mapping[str, Any]]]], None]
"""Called with what each presence key tracks, whenever that changes."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Shared by all connections of a bridge: plans count per project."""

    joins: Allowance = field(default_factory=lambda: Allowance(JOINS_PER_S, 1.0))
    tracks: Allowance = field(default_factory=lambda: Allowance(TRACKS_PER_S, 1.0))


@dataclass(slots=True, kw_only=True)
class Seat:
    """`key` is its presence key, `state` what it wants to be known for; both are told anew after each join."""

    topic: str
    receive: Receive
    on_people: OnPeople | None = None
    key: str = ""
    state: Mapping[str, Any] | None = None
    channel: AsyncRealtimeChannel | None = None
    was_joined: bool = False
    failures: int = 0
    not_before: float = 0.0
    tracked: Mapping[str, Any] | None = None
    calls: Allowance = field(default_factory=lambda: Allowance(CALLS, CALLS_WINDOW_S))

    @property
    def is_joined(self) -> bool:
        return self.channel is not None and self.channel.is_joined

    @property
    def must_track(self) -> bool:
        return self.state is not None and self.state != self.tracked

    def begin_tracking(self) -> dict[str, Any] | None:
        """Return what to track now; None when it has to wait: the newest state goes out when it may."""
        if self.state is None or not self.calls.take():
            return None
        self.tracked = dict(self.state)
        return dict(self.state)

    def joined(self) -> None:
        self.was_joined, self.failures, self.tracked = True, 0, None
        self.calls = Allowance(CALLS, CALLS_WINDOW_S)

    def refused(self, now: float) -> None:
        self.not_before = now + RETRY_S[min(self.failures, len(RETRY_S) - 1)]
        self.failures += 1

    def lost(self) -> None:
        self.channel, self.was_joined, self.not_before, self.tracked = None, False, 0.0, None


class Seated(Protocol):
    """What is needed of `channels.seats.Seats`."""

    def take(self, topic: str, receive: Receive) -> None: ...

    def leave(self, topic: str) -> None: ...

    def is_joined(self, topic: str) -> bool: ...
