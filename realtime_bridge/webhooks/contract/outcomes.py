"""Outcomes of attempts, and what each means. Pure: one table, from what happened to what follows.

outcome              from                                     delivered  the endpoint rests  else
delivered            2xx                                      yes
redirect             1xx, 3xx: never followed
gone                 410                                                                     disabled at once
rate_limited         429                                                 yes, Retry-After
client_error         other 4xx
overloaded           502, 503, 504                                       yes, Retry-After
server_error         other 5xx
timeout              no answer in time                                   yes
dns_error            the name has no address
connection_refused   nobody listens                                      yes
connection_lost      reset or closed before an answer
tls_error            no trustworthy TLS connection
address_refused      not an address that we call
bad_response         not HTTP
secret_unavailable   no secret opens; nothing was sent                                       tried again in a minute
expired              the log no longer holds the event; nothing was sent                     failed for good

A 2xx counts when its headers are here: a body that drips, never ends, breaks off or is compressed changes nothing.
"""

import random
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import IntEnum, StrEnum

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


class Outcome(StrEnum):
    DELIVERED = "delivered"
    REDIRECT = "redirect"
    GONE = "gone"
    RATE_LIMITED = "rate_limited"
    CLIENT_ERROR = "client_error"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    DNS_ERROR = "dns_error"
    CONNECTION_REFUSED = "connection_refused"
    CONNECTION_LOST = "connection_lost"
    TLS_ERROR = "tls_error"
    ADDRESS_REFUSED = "address_refused"
    BAD_RESPONSE = "bad_response"
    EXPIRED = "expired"
    SECRET_UNAVAILABLE = "secret_unavailable"  # noqa: S105 a word, not a secret


RESTS = frozenset({Outcome.RATE_LIMITED, Outcome.OVERLOADED, Outcome.TIMEOUT, Outcome.CONNECTION_REFUSED})
_SPECIAL = {
    410: Outcome.GONE,
    429: Outcome.RATE_LIMITED,
    502: Outcome.OVERLOADED,
    503: Outcome.OVERLOADED,
    504: Outcome.OVERLOADED,
}
_CLASSES = {
    1: Outcome.REDIRECT,
    2: Outcome.DELIVERED,
    3: Outcome.REDIRECT,
    4: Outcome.CLIENT_ERROR,
    5: Outcome.SERVER_ERROR,
}
MAX_WISH_DIGITS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Milliseconds; None where a kept connection made the step unnecessary, or it was not reached."""

    dns_ms: float | None = None
    connect_ms: float | None = None
    first_byte_ms: float | None = None
    total_ms: float


def outcome_of_status(status: int) -> Outcome:
    return _SPECIAL.get(status) or _CLASSES.get(status // 100, Outcome.BAD_RESPONSE)


def wish_of(retry_after: str | None, now_s: float) -> float:
    """Return the seconds a Retry-After header asks for (RFC 9110 §10.2.3); 0 for none or nonsense."""
    text = (retry_after or "").strip()
    if not text:
        return 0.0
    if text.isascii() and text.isdigit():
        return float(text) if len(text) <= MAX_WISH_DIGITS else float("inf")
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now_s)
    except (ValueError, TypeError, OverflowError):
        return 0.0


SECRET_RETRY_S = 60.0  # an operator who forgot a key is told by the log; nothing was sent, so nothing is counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The delivery's next state: open again after `delay_s`, or settled for good."""

    state: str
    lane: Lane
    delay_s: float = 0.0
    counted: int = 1


def judge(outcome: Outcome, *, attempts: int, replay: bool, wish_s: float, jitter: random.Random) -> Verdict:
    """Decide after an attempt of a delivery that had `attempts` before it. A replay has one attempt."""
    made = attempts + 1
    if outcome is Outcome.DELIVERED:
        return Verdict(state="delivered", lane=lane_after(made))
    if outcome is Outcome.SECRET_UNAVAILABLE:
        return Verdict(state="open", lane=Lane.LATE, delay_s=SECRET_RETRY_S, counted=0)
    if outcome in (Outcome.GONE, Outcome.EXPIRED) or replay:
        return Verdict(state="failed", lane=Lane.LATE)
    delay_s = delay_after(made, wish_s if outcome in RESTS else 0.0, jitter)
    if delay_s is None:
        return Verdict(state="failed", lane=Lane.LATE)
    return Verdict(state="open", lane=lane_after(made), delay_s=delay_s)
