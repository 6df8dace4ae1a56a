"""Private keys of every algorithm, as JSON Web Keys, for tests of tokens."""

import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from realtime_bridge.shared.signing_key import SigningKey

PUBLIC_PARTS = ("kty", "kid", "alg", "crv", "x", "y", "n", "e")
JWKS: dict[str, dict[str, Any]] = {
    "ES256": json.loads(ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()))),
    "RS256": json.loads(RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 2048))),
    "EdDSA": json.loads(OKPAlgorithm.to_jwk(ed25519.Ed25519PrivateKey.generate())),
}


def private_jwk(algorithm: str, kid: str | None = None) -> str:
    """Return what `supabase gen signing-key` prints: a list of one key."""
    return json.dumps([{**JWKS[algorithm], "alg": algorithm, "kid": kid or algorithm, "use": "sig"}])


def signing_key(algorithm: str, kid: str | None = None) -> SigningKey:
    return SigningKey.of_jwk(private_jwk(algorithm, kid))


def public_set(*algorithms: str) -> str:
    """Return the JSON Web Key Set of these keys, each named like its algorithm."""
    keys = [{**JWKS[algorithm], "alg": algorithm, "kid": algorithm, "use": "sig"} for algorithm in algorithms]
    return json.dumps({"keys": [{name: key[name] for name in PUBLIC_PARTS if name in key} for key in keys]})
