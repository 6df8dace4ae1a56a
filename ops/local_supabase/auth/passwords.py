"""Passwords, hashed by bcrypt as Supabase Auth does it. Hashing runs in a thread: it takes tens of milliseconds."""

import asyncio

import bcrypt

from ops.local_supabase.auth.errors import AuthError

COST = 10  # Supabase Auth's own
SHORTEST, LONGEST_BYTES = 6, 72  # bcrypt reads no further than 72 bytes
_NOBODY = bcrypt.hashpw(b"nobody has this password", bcrypt.gensalt(COST))


async def hash_password(password: str | None) -> str | None:
    """Hash a password, if there is one; raises AuthError when it is too short or longer than bcrypt reads."""
    if password is None:
        return None
    wrong = f"Password should be at least {SHORTEST} characters." if len(password) < SHORTEST else ""
    if len(password.encode()) > LONGEST_BYTES:
        wrong = f"Password cannot be longer than {LONGEST_BYTES} bytes."
    if wrong:
        raise AuthError(422, "weak_password", wrong, weak=("length",))
    hashed = await asyncio.to_thread(bcrypt.hashpw, password.encode(), bcrypt.gensalt(COST))
    return hashed.decode()


async def matches(password: str, hashed: str | None) -> bool:
    """Compare in the same time whether or not there is a user, or a password."""
    given = password.encode()[:LONGEST_BYTES]
    stored = hashed.encode() if hashed else _NOBODY
    try:
        same = await asyncio.to_thread(bcrypt.checkpw, given, stored)
    except ValueError:
        return False  # not a bcrypt hash: seeded by hand
    return same and hashed is not None
