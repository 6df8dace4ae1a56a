"""Numbers of places in one worker. Constants only: gunicorn's configuration reads them before anything is imported."""

QUEUED = 256  # requests at the turnstile; at 800 a second they wait a third of a second
OPEN_AT_ONCE, OPEN_QUEUED = 2, 32  # pages for everybody, made in advance: milliseconds
TRANSFERS = 64  # bodies and files on their way; of 5 MB each over bad lines that is half a megabyte a second in all
WHOLE_BODIES_MIB = 64  # of bodies that are read whole, until their requests end: imports, photos of WhatsApp
SPARE = 32  # threads for what needs no place: probes, refusals


def threads(at_once: int, max_waiters: int) -> int:
    """How many threads there must be, so that no kind of request can take the last one from the others.

    Made when needed; `at_once` requests work, the others sleep.
    """
    return at_once + QUEUED + OPEN_AT_ONCE + OPEN_QUEUED + TRANSFERS + max_waiters + SPARE
