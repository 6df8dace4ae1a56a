"""Chance: how likely it alone explains a count. Pure, exact, no dependency; used by the gates."""

from math import exp, lgamma, log, log1p

NEGLIGIBLE = 1e-17  # terms below this share of the sum change nothing a gate can see


def tail(events: int, trials: int, probability: float) -> float:
    """Return P(X ≥ events) for X ~ Binomial(trials, probability): the one-sided exact test's p-value."""
    if events <= 0:
        return 1.0
    if events > trials or probability <= 0.0:
        return 0.0
    if probability >= 1.0:
        return 1.0
    if events <= trials * probability:  # the left tail is the short one
        return 1.0 - tail(trials - events + 1, trials, 1.0 - probability)
    term = exp(
        lgamma(trials + 1)
        - lgamma(events + 1)
        - lgamma(trials - events + 1)
        + events * log(probability)
        + (trials - events) * log1p(-probability)
    )
    total, odds = 0.0, probability / (1.0 - probability)
    for count in range(events, trials + 1):
        total += term
        term *= (trials - count) / (count + 1) * odds
        if term < total * NEGLIGIBLE:
            break
    return min(1.0, total)


def exceeds(events: int, trials: int, limit: float, alpha: float) -> bool:
    """Whether `events` of `trials` are more than a true rate of `limit` produces with probability `alpha`."""
    return trials > 0 and events > trials * limit and tail(events, trials, limit) < alpha
