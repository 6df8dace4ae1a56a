"""Key that signs the tokens we mint. The project's shared secret, or a private key of ours that the project trusts.

A key is made with `supabase gen signing-key --algorithm ES256` and imported in the project's settings ("JWT signing
keys"), as keys that Supabase made cannot be exported.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jwt
from jwt import PyJWK

from realtime_bridge.shared.environment import ConfigurationError, Environment
from realtime_bridge.shared.variables import jwt_secret

SHARED = "HS256"  # signed with the project's JWT secret
ALGORITHMS = ("ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "EdDSA")  # verified with a public key
VARIABLE = "SUPABASE_JWT_SIGNING_KEY"


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    algorithm: str
    kid: str | None = None
    public: PyJWK | None = None
    """What verifies it; None for a shared secret."""
    _private: Any = field(repr=False)

    @classmethod
    def of_secret(cls, secret: str) -> "SigningKey":
        return cls(algorithm=SHARED, _private=secret)

    @classmethod
    def of_jwk(cls, text: str) -> "SigningKey":
        """Read a private JSON Web Key, or a list that holds one, as the Supabase CLI prints it.

        Raises ConfigurationError, which never repeats the key.
        """
        try:
            raw = json.loads(text)
            (raw,) = raw if isinstance(raw, list) else [raw]
            kid, key = raw["kid"], PyJWK(raw)
        except (ValueError, TypeError, KeyError, jwt.PyJWTError):
            raise _unusable() from None
        if key.algorithm_name not in ALGORITHMS or "d" not in raw or not isinstance(kid, str):
            raise _unusable()
        return cls(algorithm=key.algorithm_name, kid=kid, public=_public(raw), _private=key.key)

    @classmethod
    def from_env(cls, env: Environment) -> "SigningKey | None":
        """Return the private key if there is one, else the shared secret, else None."""
        text, secret = env.optional(VARIABLE), jwt_secret(env)
        try:
            return cls.of_jwk(text) if text else cls.of_secret(secret) if secret else None
        except ConfigurationError as error:
            return env.wrong(str(error), cls.of_secret(""))

    def sign(self, claims: Mapping[str, Any]) -> str:
        headers = {"kid": self.kid} if self.kid else None
        return jwt.encode(dict(claims), self._private, algorithm=self.algorithm, headers=headers)


def _public(raw: Mapping[str, Any]) -> PyJWK:
    return PyJWK({name: raw[name] for name in ("kty", "kid", "alg", "crv", "x", "y", "n", "e") if name in raw})


def _unusable() -> ConfigurationError:
    return ConfigurationError(
        f"{VARIABLE} must be one private JSON Web Key with a kid (ES256, RS256 or EdDSA),"
        " as `supabase gen signing-key` prints it."
    )
