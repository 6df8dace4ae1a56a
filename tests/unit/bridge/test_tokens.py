"""Whom our sockets believe."""

import time
from uuid import uuid4

import jwt
import pytest
from jwt import PyJWK

from realtime_bridge.shared.jwks import ProjectKeys
from realtime_bridge.shared.signing_key import ALGORITHMS
from realtime_bridge.shared.tokens import TokenError, TokenVerifier, mint_role_key, mint_user_token
from tests.signing_keys import JWKS, signing_key

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


def known(*algorithms: str) -> ProjectKeys:
    return ProjectKeys(own=[key for name in algorithms if (key := signing_key(name).public)])


@pytest.mark.parametrize("algorithm", JWKS)
def test_a_private_key_of_ours_signs_what_its_public_key_verifies(algorithm: str) -> None:
    """ES256, RS256 and EdDSA, with the key's name in the header; nothing private is among what verifies."""
    token = mint_user_token(signing_key(algorithm), USER, 60)
    assert jwt.get_unverified_header(token) == {"alg": algorithm, "kid": algorithm, "typ": "JWT"}
    assert TokenVerifier(None, known(algorithm)).verify(token).user_id == USER
    public = signing_key(algorithm).public
    assert public is not None
    assert not hasattr(public.key, "private_bytes")


@pytest.mark.parametrize("algorithm", JWKS)
def test_an_asymmetric_token_needs_the_key_that_it_names(algorithm: str) -> None:
    """Unknown, another one's, of another kind, or without a name: refused, with a shared secret or without."""
    others = [name for name in JWKS if name != algorithm]
    token = mint_user_token(signing_key(algorithm), USER, 60)
    claims = jwt.decode(token, options={"verify_signature": False})
    private = PyJWK(JWKS[algorithm] | {"alg": algorithm}).key
    nameless = jwt.encode(claims, private, algorithm)
    disguised = jwt.encode(claims, private, algorithm, headers={"kid": others[0]})
    for keys in (known(), known(*others)):
        for secret in (None, SECRET):
            for refused in (token, nameless, disguised):
                with pytest.raises(TokenError) as caught:
                    TokenVerifier(secret, keys).verify(refused)
                assert caught.value.code == "token_invalid"


def test_a_public_key_is_no_shared_secret() -> None:
    """HS256 is verified with the shared secret only, whatever `kid` says; without one it is refused."""
    for key in (JWKS["RS256"]["n"], SECRET):
        claims = {"sub": str(USER), "role": "authenticated", "exp": int(time.time()) + 60}
        token = jwt.encode(claims, key, "HS256", headers={"kid": "RS256"})
        with pytest.raises(TokenError):
            TokenVerifier(None, known("RS256")).verify(token)
    assert "HS256" not in ALGORITHMS
