"""Watch over the bridge's own seat, as Supabase's sign of life.

Where it was joined, not getting in again is evidence. Pure.
"""

STEP_S = 0.5  # apart for six of them is an outage: a reconnect of clients (a deploy of Realtime) takes a second or two
AWAY_S = 1.0  # a look that is so late says that this process was away, and not Supabase
REASON = "the bridge cannot join its channel any more"


class SeatWatch:
    """Told at each look whether the seat is joined."""

    def __init__(self, now: float) -> None:
        self.listening_since = now
        """From when on what is not heard says something."""
        self._was_joined = False
        self._looked_at = now
        self._unseated_since: float | None = now

    def look(self, now: float, *, is_joined: bool, is_excused: bool = False) -> None:
        """`is_excused`: there is another reason for being apart, and Supabase must not be blamed."""
        was_away = is_excused or now - self._looked_at > AWAY_S
        self._looked_at = now
        if was_away or not is_joined:
            self.listening_since = now
        if is_joined:
            self._was_joined, self._unseated_since = True, None
        elif was_away or self._unseated_since is None:
            self._unseated_since = now

    @property
    def is_joined(self) -> bool:
        return self._unseated_since is None

    @property
    def unseated_s(self) -> float:
        """How long it has not been joined, also if it never was."""
        return 0.0 if self._unseated_since is None else self._looked_at - self._unseated_since

    @property
    def failures(self) -> int:
        """How long it has been apart, where it was joined before, as a run of failures."""
        return int(self.unseated_s / STEP_S) if self._was_joined else 0
