"""Numbers of places in one worker. Constants only: gunicorn's configuration reads them before anything is imported."""

QUEUED = 256  # requests at the turnstile; at 800 a second they wait a third of a second
OPEN_AT_ONCE, OPEN_QUEUED = 3, 32  # pages for everybody, made in advance: milliseconds; nobody in particular has two
TRANSFERS_MIB = 64  # of bodies and files on their way, each at least one: imports, uploads, what a slow line sends
UNPROVEN_MIB = 36  # of bodies whose signature comes at their end: photos of WhatsApp
LOOKUPS_QUEUED = 256  # requests whose key is not known here yet
CHANNELS_QUEUED = 32  # webhooks whose channel is looked for
SPARE = 32  # threads for what needs no place: readiness, refusals


def threads(at_once: int, max_waiters: int) -> int:
    """How many threads there must be, so that no kind of request can take the last one from the others.

    Made when needed; `at_once` requests work, the others sleep.
    """
    in_line = QUEUED + OPEN_QUEUED + LOOKUPS_QUEUED + max_waiters
    return at_once + OPEN_AT_ONCE + in_line + TRANSFERS_MIB + UNPROVEN_MIB + SPARE
