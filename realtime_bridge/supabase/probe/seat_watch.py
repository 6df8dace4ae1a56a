"""Watch over the bridge's own seat, as Supabase's sign of life.

Where it was joined, not getting in again is evidence. Pure.
"""

STEP_S = 0.5  # apart for six of them is an outage: a reconnect of clients (a deploy of Realtime) takes a second or two
AWAY_S = 1.0  # a look that is so late says that this process was away, and not Supabase
REASON = "the bridge cannot join its channel any more"


class SeatWatch:
    """Told at each look whether the seat is joined."""

    def __init__(self, now: float) -> None:
        self.was_joined = False
        self.listening_since = now
        """From when on what is not heard says something."""
        self._looked_at = now
        self._apart_since: float | None = None
        self._unseated_since: float | None = now

    def look(self, now: float, *, is_joined: bool, is_excused: bool = False) -> None:
        """`is_excused`: there is another reason for being apart, and Supabase must not be blamed."""
        was_away = is_excused or now - self._looked_at > AWAY_S
        self._looked_at = now
        if was_away or not is_joined:
            self.listening_since = now
        if is_joined:
            self.was_joined, self._apart_since, self._unseated_since = True, None, None
            return
        if was_away or self._unseated_since is None:
            self._unseated_since = now
        if self.was_joined and (was_away or self._apart_since is None):
            self._apart_since = now

    @property
    def is_joined(self) -> bool:
        return self.was_joined and self._apart_since is None

    @property
    def unseated_s(self) -> float:
        """How long it has not been joined, also if it never was."""
        return 0.0 if self._unseated_since is None else self._looked_at - self._unseated_since

    @property
    def failures(self) -> int:
        """How long it has been apart, as a run of failures."""
        return 0 if self._apart_since is None else int((self._looked_at - self._apart_since) / STEP_S)
