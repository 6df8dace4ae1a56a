"""Tokens as Realtime verifies them: every algorithm, every way to be refused."""

import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from ops.local_supabase.access.keys import ApiKeys
from ops.local_supabase.access.tokens import Fault, TokenError, TokenVerifier
from ops.local_supabase.settings import CLI_JWT_SECRET, CLI_PUBLISHABLE_KEY, CLI_SECRET_KEY, Settings
from realtime_bridge.shared.environment import ConfigurationError

SECRET = "a secret of well over sixty-four bytes, so that HS512 is content with it too, 12345"
RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()
JWKS = json.dumps(
    {
        "keys": [
            {**json.loads(RSAAlgorithm.to_jwk(RSA_KEY.public_key())), "kid": "rsa"},
            {**json.loads(ECAlgorithm.to_jwk(EC_KEY.public_key())), "kid": "ec"},
            {**json.loads(OKPAlgorithm.to_jwk(ED_KEY.public_key())), "kid": "ed"},
            {
                "kty": "oct",
                "kid": "shared",
                "k": jwt.utils.base64url_encode(b"another shared secret of 32 bytes").decode(),
            },
        ]
    }
)
VERIFIER = TokenVerifier(SECRET, JWKS)


def claims(**more: Any) -> dict[str, Any]:
    return {"role": "authenticated", "exp": int(time.time()) + 60, "sub": "somebody", **more}


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_the_shared_secret_verifies_every_hmac(algorithm: str) -> None:
    """HS256, HS384 and HS512 with the project's secret."""
    assert VERIFIER.verify(jwt.encode(claims(), SECRET, algorithm)).role == "authenticated"


@pytest.mark.parametrize(
    ("algorithm", "key", "kid"), [("RS256", RSA_KEY, "rsa"), ("ES256", EC_KEY, "ec"), ("EdDSA", ED_KEY, "ed")]
)
def test_a_key_of_the_set_verifies_by_its_kid(algorithm: str, key: Any, kid: str) -> None:
    """RS, ES and EdDSA tokens name their key; without a known name there is no signer."""
    token = jwt.encode(claims(), key, algorithm, headers={"kid": kid})
    assert VERIFIER.verify(token).subject == "somebody"
    for other in ("nobody", "shared", "rsa" if kid != "rsa" else "ec"):
        assert fault(jwt.encode(claims(), key, algorithm, headers={"kid": other})) is Fault.NO_SIGNER


def test_a_shared_secret_of_the_set_wins_by_its_kid() -> None:
    """An HS token whose kid names an oct key is checked with that key, otherwise with the project's secret."""
    other = "another shared secret of 32 bytes"
    assert VERIFIER.verify(jwt.encode(claims(), other, "HS256", headers={"kid": "shared"})).role == "authenticated"
    assert fault(jwt.encode(claims(), other, "HS256")) is Fault.BAD_SIGNATURE
    assert VERIFIER.verify(jwt.encode(claims(), SECRET, "HS256", headers={"kid": "unknown"})).role == "authenticated"


def test_a_public_key_is_no_shared_secret() -> None:
    """A token signed with HMAC over a published key is refused."""
    public = json.loads(JWKS)["keys"][1]["x"]
    token = jwt.encode(claims(), public.ljust(32, "x"), "HS256", headers={"kid": "ec"})
    assert fault(token) is Fault.BAD_SIGNATURE


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("", Fault.MALFORMED),
        ("a.b", Fault.MALFORMED),
        ("a.b.c", Fault.MALFORMED),
        ("Bearer eyJ.e30.x", Fault.CRASH),
        (jwt.encode(claims(), "", "none"), Fault.NO_SIGNER),
        (jwt.encode(claims(), "some other secret of thirty-two bytes", "HS256"), Fault.BAD_SIGNATURE),
        (jwt.encode(claims(exp=int(time.time()) - 5), SECRET, "HS256"), Fault.EXPIRED),
        (jwt.encode({"exp": int(time.time()) + 60}, SECRET, "HS256"), Fault.CLAIMS_MISSING),
        (jwt.encode({"role": "anon"}, SECRET, "HS256"), Fault.CLAIMS_MISSING),
        (jwt.encode({"role": "anon", "exp": "soon"}, SECRET, "HS256"), Fault.CRASH),
    ],
)
def test_each_fault_is_told_apart(token: str, expected: Fault) -> None:
    """Handshake, join and refresh have their own words for each."""
    assert fault(token) is expected


def test_opaque_keys_are_exchanged_and_unknown_ones_are_not() -> None:
    """The Supabase CLI's public development keys work out of the box."""
    keys = ApiKeys(Settings(database_url=""))
    verifier = TokenVerifier(CLI_JWT_SECRET)
    assert verifier.verify(keys.exchange(CLI_PUBLISHABLE_KEY)).role == "anon"
    assert verifier.verify(keys.exchange(CLI_SECRET_KEY)).role == "service_role"
    assert keys.exchange("sb_publishable_unknown") == "sb_publishable_unknown"


def test_only_public_parts_of_the_key_set_are_published() -> None:
    """Shared secrets and private parts never leave."""
    private = {**json.loads(ECAlgorithm.to_jwk(EC_KEY)), "kid": "private"}
    verifier = TokenVerifier(SECRET, json.dumps({"keys": [private, *json.loads(JWKS)["keys"]]}))
    published = verifier.public_keys()
    assert {key["kid"] for key in published} == {"private", "rsa", "ec", "ed"}
    assert all("d" not in key and "k" not in key for key in published)


@pytest.mark.parametrize("jwks", ["{", "[]", '{"keys": [{}]}'])
def test_a_broken_key_set_is_one_sentence(jwks: str) -> None:
    """It names the variable."""
    with pytest.raises(ConfigurationError, match="SUPABASE_JWKS"):
        TokenVerifier(SECRET, jwks)


def fault(token: str) -> Fault:
    with pytest.raises(TokenError) as refused:
        VERIFIER.verify(token)
    return refused.value.fault
