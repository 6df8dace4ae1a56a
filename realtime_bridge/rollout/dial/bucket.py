"""Bucket of a user, one of 10,000. Pure and for ever: the published vectors (tests/vectors) pin it down.

murmur3, 32 bit, x86 variant, seed 0, of the UTF-8 text `flag:userId`, the user id in lower case with hyphens; unsigned;
modulo 10,000. A user is in when the bucket is below the threshold, so raising the threshold only adds users.
"""

from uuid import UUID

import mmh3

BUCKETS = 10_000  # steps of 0.01 %; the modulo's bias is below one in four hundred thousand
SEED = 0


def bucket_of(flag: str, user_id: UUID) -> int:
    """Return the user's bucket, 0 to 9,999."""
    return mmh3.hash(f"{flag}:{user_id}", SEED, signed=False) % BUCKETS
