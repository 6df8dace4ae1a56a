"""When a delivery is tried again. Pure; the times are those of the Standard Webhooks specification."""

import random
from enum import IntEnum

MINUTE_S, HOUR_S = 60.0, 3_600.0
RETRY_DELAYS_S = (  # after the 1st, 2nd … attempt; ten attempts over 75 hours and a half
    5.0,
    5 * MINUTE_S,
    30 * MINUTE_S,
    2 * HOUR_S,
    5 * HOUR_S,
    10 * HOUR_S,
    14 * HOUR_S,
    20 * HOUR_S,
    24 * HOUR_S,
)
JITTER = 0.2  # deliveries that failed together must not come back together
LONGEST_WISH_S = 24 * HOUR_S  # a receiver may ask for patience in Retry-After, for a day at most
EARLY_ATTEMPTS = 2  # the first attempt and the one 5 s later


class Lane(IntEnum):
    """Where a delivery waits: the late lane never holds up the early one."""

    EARLY = 0
    LATE = 1


def lane_after(attempts: int) -> Lane:
    """Return the lane of a delivery that has had `attempts` attempts."""
    return Lane.EARLY if attempts < EARLY_ATTEMPTS else Lane.LATE


def delay_after(attempts: int, wish_s: float, jitter: random.Random) -> float | None:
    """Return the seconds until the next attempt after `attempts` failed ones; None when that was the last.

    `wish_s` is the receiver's Retry-After (0 for none): it makes a wait longer, never shorter.
    """
    if attempts > len(RETRY_DELAYS_S):
        return None
    delay_s = RETRY_DELAYS_S[attempts - 1] * (1 + jitter.uniform(-JITTER, JITTER))
    return max(delay_s, min(wish_s, LONGEST_WISH_S))
