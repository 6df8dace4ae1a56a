"""How often Python looks for cycles of garbage. Called once by `__main__`, when everything is imported.

Requests leave almost no cycles behind, but each leaves so many objects for a moment that Python's own threshold of 700
looks for them at every tenth request, and now and then through the whole heap: a sixth of a busy sender's time.
"""

import gc

YOUNG_OBJECTS = 20_000  # about what five hundred requests under way hold; some megabytes
MIDDLE, OLD = 20, 20  # the whole heap is looked through every eight million objects, not in a receiver's latency


def collect_less() -> None:
    """Keep what is loaded out of every collection, and collect young objects in larger portions."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, MIDDLE, OLD)
