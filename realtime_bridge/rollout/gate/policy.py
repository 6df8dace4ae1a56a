"""Policy of a gate. The defaults are the design's; an operator may change them with `crossfade rollout policy`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from realtime_bridge.rollout.dial.errors import RolloutError
from realtime_bridge.rollout.gate.latency import BOUNDS_MS
from realtime_bridge.rollout.gate.slots import SLOT_S

HORIZON = 30  # windows that are judged together: a fault too small for one window shows in half an hour


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    window_s: int = 60
    max_window_s: int = 900
    """A window without enough samples grows up to here; then it is closed, and holds."""
    min_samples: int = 500
    fail_windows: int = 2
    of_windows: int = 3
    """k of m: so many failed windows among the last so many roll back."""
    pass_windows: int = 3
    """The last so many windows all have to be good before the dial goes on."""
    p95_ms: int = 500
    error_percent: float = 1.0
    outage_failures: int = 5
    """More failures than this in a row are an outage: no window is waited for."""
    slower_times: float = 2.0
    """Supabase's p95 may be so many times that of legacy …"""
    slower_floor_ms: int = 100
    """… but nobody notices the difference below this."""

    @property
    def error_rate(self) -> float:
        return self.error_percent / 100

    @classmethod
    def of(cls, changes: Mapping[str, Any]) -> Self:
        """Return the defaults with `changes`; raises RolloutError with a sentence that names the setting."""
        known = asdict(cls())
        values: dict[str, Any] = {}
        for name, value in changes.items():
            if name not in known:
                raise RolloutError(f"There is no gate setting {name!r}; there are {', '.join(known)}.")
            try:
                values[name] = float(value) if isinstance(known[name], float) else int(value)
            except (TypeError, ValueError):
                raise RolloutError(f"{name} must be a number, not {value!r}.") from None
        policy = cls(**values)
        policy._check()
        return policy

    def changes(self) -> dict[str, Any]:
        """Return what differs from the defaults, which is what is stored."""
        defaults = asdict(type(self)())
        return {name: value for name, value in asdict(self).items() if value != defaults[name]}

    def _check(self) -> None:
        low = next((f.name for f in fields(self) if not getattr(self, f.name) > 0), None)
        if low:
            raise RolloutError(f"{low} must be more than 0.")
        if self.window_s < SLOT_S or self.max_window_s < self.window_s:
            raise RolloutError(f"A window takes from {SLOT_S} s to max_window_s, which is {self.max_window_s} s.")
        if self.fail_windows > self.of_windows or self.of_windows > HORIZON or self.pass_windows > HORIZON:
            raise RolloutError(f"fail_windows is at most of_windows, and no number of windows is above {HORIZON}.")
        for name in ("p95_ms", "slower_floor_ms"):
            if getattr(self, name) not in BOUNDS_MS:
                words = ", ".join(map(str, BOUNDS_MS))
                raise RolloutError(f"{name} must be a bound of the histogram: {words}.")
        if self.error_percent >= 100:  # noqa: PLR2004 - of a hundred
            raise RolloutError("error_percent must be less than 100.")
