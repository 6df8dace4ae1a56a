"""Supabase-shaped JWTs: minted for users and roles, verified at our own sockets. Used by bridge, gateway and `up`."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

import jwt
from jwt import PyJWK

from realtime_bridge.shared.environment import Environment
from realtime_bridge.shared.signing_key import ALGORITHMS, SHARED, SigningKey

AUDIENCE = "authenticated"
TOLD = "crossfade_told"  # the claim of a realtime session's token: which provider its answer named
UNREADABLE = (jwt.InvalidTokenError, ValueError, TypeError, KeyError, ArithmeticError, RecursionError, AttributeError)
"""Whatever a stranger's bytes make the library break on: the token is not valid, and nobody needs to know more."""


class TokenError(Exception):
    """The token is malformed, expired, signed by somebody else, or not a user's. `code` says which."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    user_id: UUID
    expires_at: int  # seconds since 1970
    issued_at: int = 0
    """When it was signed; one that does not say is as old as can be."""
    told: str | None = None
    """The provider that the realtime session named of which this token is; None: its holder asked for no session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRules:
    """What a token must say beside its signature: for whom it is, and who made it. None: not asked."""

    audience: str | None = None
    issuer: str | None = None

    @classmethod
    def from_env(cls, env: Environment) -> "TokenRules":
        """Read CROSSFADE_JWT_AUDIENCE and _ISSUER, alike in the gateway, which signs, and in the bridge."""
        return cls(audience=env.optional("CROSSFADE_JWT_AUDIENCE"), issuer=env.optional("CROSSFADE_JWT_ISSUER"))

    @property
    def claims(self) -> dict[str, str]:
        """What a token of ours says, so that it passes."""
        issuer = {"iss": self.issuer} if self.issuer else {}
        return {"aud": self.audience or AUDIENCE, **issuer}


NO_RULES = TokenRules()


class Keys(Protocol):
    """The public keys that tokens may be signed with (jwks.py)."""

    def find(self, kid: str) -> PyJWK | None:
        """Return a key that is known now."""

    async def prepare(self, kid: str) -> None:
        """Do what can be done for `find` to know this key. Raises nothing."""


class TokenVerifier:
    """Accepts a user's token: right signature, not expired, role `authenticated`, a UUID as `sub`, by the rules.

    A token that is signed with HS256 is checked with the project's shared secret and nothing else, one with an
    asymmetric algorithm with the public key that its `kid` names: so nobody can sign with a key that is public.
    """

    def __init__(self, secret: str | None, keys: Keys | None = None, rules: TokenRules = NO_RULES) -> None:
        self._secret = secret
        self._keys = keys
        self._rules = rules

    async def check(self, token: object) -> Claims:
        """Verify, and before that fetch the project's keys if the token names one that is not known yet."""
        if self._keys and isinstance(token, str) and (kid := _asymmetric_kid(token)) is not None:
            await self._keys.prepare(kid)
        return self.verify(token)

    def verify(self, token: object) -> Claims:
        """Return the claims by the keys that are known now. Raises TokenError."""
        if not isinstance(token, str) or not token:
            raise TokenError("token_missing", "Send a token.")
        try:
            claims = self._decode(token)
            user_id, expires_at = str(claims["sub"]), int(claims["exp"])
            issued_at = int(claims.get("iat", 0))
        except jwt.ExpiredSignatureError:
            raise TokenError("token_expired", "The token has expired; get a new one.") from None
        except (jwt.InvalidAudienceError, jwt.InvalidIssuerError):
            raise TokenError("token_foreign", "The token was made by somebody else, or for somebody else.") from None
        except UNREADABLE:
            raise TokenError("token_invalid", "The token is not valid.") from None
        if claims["role"] != AUDIENCE:
            raise TokenError("token_role", "The token is not a signed-in user's.")
        try:
            return Claims(user_id=UUID(user_id), expires_at=expires_at, issued_at=issued_at, told=claims.get(TOLD))
        except ValueError:
            raise TokenError("token_subject", "The token's sub is not a UUID.") from None

    def _decode(self, token: str) -> dict[str, Any]:
        key: PyJWK | str | None = self._secret
        algorithms = [SHARED]
        if (kid := _asymmetric_kid(token)) is not None:
            key, algorithms = self._keys.find(kid) if self._keys else None, list(ALGORITHMS)
        if key is None:
            raise jwt.InvalidTokenError("nobody here knows this key")
        audience, issuer = self._rules.audience, self._rules.issuer
        options: Any = {"require": ["exp", "sub", "role"], "verify_aud": audience is not None}
        return jwt.decode(token, key, algorithms=algorithms, options=options, audience=audience, issuer=issuer)


def mint_user_token(
    key: SigningKey | str, user_id: UUID, ttl_s: int, rules: TokenRules = NO_RULES, *, told: str | None = None
) -> str:
    """Return a token that Supabase Realtime and our sockets accept as this user for `ttl_s` seconds.

    `key` is the project's shared secret, or a private key that the project trusts; `told` is as in `Claims`.
    """
    of_session = {TOLD: told} if told else {}
    return _sign(key, {"sub": str(user_id), "role": AUDIENCE, **of_session, **rules.claims}, ttl_s)


def mint_role_key(key: SigningKey | str, role: str, ttl_s: int) -> str:
    """Return an `anon` or `service_role` key in the older, JWT form that every Supabase client accepts."""
    return _sign(key, {"role": role, "iss": "supabase"}, ttl_s)


def _sign(key: SigningKey | str, claims: Mapping[str, Any], ttl_s: int) -> str:
    now = int(time.time())
    signing_key = SigningKey.of_secret(key) if isinstance(key, str) else key
    return signing_key.sign({**claims, "iat": now, "exp": now + ttl_s})


def _asymmetric_kid(token: str) -> str | None:
    """Return which key an RS, ES or EdDSA token says it is signed with; nothing is verified yet."""
    try:
        header = jwt.get_unverified_header(token)
    except UNREADABLE:
        return None
    kid = header.get("kid")
    return kid if header.get("alg") in ALGORITHMS and isinstance(kid, str) else None
