"""Shares of a bounded room by account, so that nobody fills it. Pure; asked by queues before they let somebody in.

An account may hold at most GREED times what is free (a dynamic threshold: Choudhury and Hahne, 1998). One alone gets
four fifths of a room, two get four ninths each, ten get four forty-firsts; something is always free for who comes next.
Nothing that was given is ever taken back, and no share is kept for who may never come.
"""

GREED = 4  # one alone leaves a fifth free: a room is made that much larger than one alone needs


def more(total: int, held: int, own: int) -> int:
    """Return how many more places of `total` somebody may take who has `own` of the `held` ones."""
    free = total - held
    return max(0, (GREED * free - own) // (GREED + 1))


def room_for(alone: int) -> int:
    """Return how large a room must be in which one account alone may hold `alone` places."""
    return -(-alone * (GREED + 1) // GREED)
