"""Whom our sockets believe."""

import time
from uuid import uuid4

import jwt
import pytest

from realtime_bridge.tokens import TokenError, TokenVerifier, mint_role_key, mint_user_token

SECRET = "a secret of at least thirty-two characters"
USER = uuid4()
UNSIGNED_HEADER = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0"  # {"alg":"none","typ":"JWT"}


def forged(**changes: object) -> str:
    claims = {
        "sub": str(USER),
        "role": "authenticated",
        "exp": int(time.time()) + 3_600,
    } | changes  # made at collection
    return jwt.encode({name: value for name, value in claims.items() if value is not None}, SECRET, algorithm="HS256")


def test_a_minted_token_is_its_users() -> None:
    """What we mint we accept, for the user it was minted for."""
    assert TokenVerifier(SECRET).verify(mint_user_token(SECRET, USER, 60)).user_id == USER


@pytest.mark.parametrize(
    ("token", "code"),
    [
        (None, "token_missing"),
        ("", "token_missing"),
        (42, "token_missing"),
        ("not.a.token", "token_invalid"),
        (mint_user_token("another secret of thirty-two characters!", USER, 60), "token_invalid"),
        (mint_user_token(SECRET, USER, -1), "token_expired"),
        (mint_role_key(SECRET, "anon", 60), "token_invalid"),
        (forged(role="service_role"), "token_role"),
        (forged(sub="somebody"), "token_subject"),
        (forged(exp=None), "token_invalid"),
        (f"{UNSIGNED_HEADER}.{forged().split('.')[1]}.", "token_invalid"),
    ],
)
def test_anything_else_is_refused_with_its_reason(token: object, code: str) -> None:
    """Missing, foreign, expired, unsigned, or not a signed-in user's: each has its code."""
    with pytest.raises(TokenError) as caught:
        TokenVerifier(SECRET).verify(token)
    assert caught.value.code == code
