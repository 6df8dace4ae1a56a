"""Messages that were sent, and where they arrived. Pure; fed by the sides, read by the view and for the verdict."""

from dataclasses import dataclass, field
from enum import StrEnum


class SideName(StrEnum):
    SUPABASE = "supabase"
    SOCKETIO = "socketio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One message on one side; `latency_s` counts from the send when we sent it, else from its creation."""

    side: SideName
    event_id: str
    seq: int
    content: str
    latency_s: float
    repeat: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SideSummary:
    received: int
    missing: int
    repeats: int
    in_order: bool
    p50_ms: float | None
    max_ms: float | None


@dataclass(slots=True)
class Tracker:
    """Times are seconds since 1970, all of this machine's clock."""

    sent: dict[str, tuple[int, float]] = field(default_factory=dict)
    arrivals: list[Arrival] = field(default_factory=list)

    def note_sent(self, event_id: str, seq: int, at: float) -> None:
        self.sent[event_id] = (seq, at)

    def note_arrival(
        self, side: SideName, *, event_id: str, seq: int, content: str, created_at: float, now: float
    ) -> Arrival:
        _, since = self.sent.get(event_id, (seq, created_at))
        repeat = any(seen.event_id == event_id for seen in self.of(side))
        arrival = Arrival(
            side=side, event_id=event_id, seq=seq, content=content, latency_s=max(0.0, now - since), repeat=repeat
        )
        self.arrivals.append(arrival)
        return arrival

    def of(self, side: SideName) -> list[Arrival]:
        return [arrival for arrival in self.arrivals if arrival.side is side]

    def missing(self, side: SideName) -> list[int]:
        """Return the seqs of sent messages that this side has not shown."""
        seen = {arrival.event_id for arrival in self.of(side)}
        return [seq for event_id, (seq, _) in self.sent.items() if event_id not in seen]

    def is_complete(self) -> bool:
        return not any(self.missing(side) for side in SideName)

    def summary(self, side: SideName) -> SideSummary:
        first = [arrival for arrival in self.of(side) if not arrival.repeat]
        seqs = [arrival.seq for arrival in first]
        latencies = sorted(1000 * arrival.latency_s for arrival in first)
        return SideSummary(
            received=len(first),
            missing=len(self.missing(side)),
            repeats=len(self.of(side)) - len(first),
            in_order=seqs == sorted(seqs),
            p50_ms=round(latencies[len(latencies) // 2], 1) if latencies else None,
            max_ms=round(latencies[-1], 1) if latencies else None,
        )

    def complaint(self) -> str | None:
        """Return what went wrong as one sentence, or None."""
        for side in SideName:
            if missing := self.missing(side):
                shown = ", ".join(str(seq) for seq in missing[:5])
                return f"{side.value} did not show {len(missing)} of {len(self.sent)} messages (seq {shown})."
            if not self.summary(side).in_order:
                return f"{side.value} showed messages out of order."
        return None
