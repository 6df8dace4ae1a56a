"""Clock of the database as this process knows it. Events carry its time, and machines' clocks differ."""

from datetime import UTC, datetime, timedelta


class DatabaseClock:
    """Corrected by whoever happens to ask the database for its time (heartbeat.py); until then it is our own."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def correct(self, told: datetime, asked_at: datetime, answered_at: datetime) -> None:
        """Note that the database said `told` at some moment between two of ours: in their middle, at a guess."""
        self._ahead = told - (asked_at + (answered_at - asked_at) / 2)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead
