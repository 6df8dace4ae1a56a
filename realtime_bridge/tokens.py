"""Supabase-shaped JWTs: minted for users and roles, verified at our own sockets. Used by bridge, gateway and `up`."""

import time
from dataclasses import dataclass
from uuid import UUID

import jwt

ALGORITHM = "HS256"  # signed with the project's JWT secret
AUDIENCE = "authenticated"


class TokenError(Exception):
    """The token is malformed, expired, signed by somebody else, or not a user's. `code` says which."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    user_id: UUID
    expires_at: int  # seconds since 1970


@dataclass(frozen=True, slots=True)
class TokenVerifier:
    """Accepts a user's token: right signature, not expired, role `authenticated`, a UUID as `sub`."""

    secret: str

    def verify(self, token: object) -> Claims:
        if not isinstance(token, str) or not token:
            raise TokenError("token_missing", "Send a token.")
        try:
            claims = jwt.decode(
                token,
                self.secret,
                algorithms=[ALGORITHM],
                options={"require": ["exp", "sub", "role"], "verify_aud": False},
            )
        except jwt.ExpiredSignatureError:
            raise TokenError("token_expired", "The token has expired; get a new one.") from None
        except jwt.InvalidTokenError:
            raise TokenError("token_invalid", "The token is not valid.") from None
        if claims["role"] != AUDIENCE:
            raise TokenError("token_role", "The token is not a signed-in user's.")
        try:
            user_id = UUID(claims["sub"])
        except ValueError:
            raise TokenError("token_subject", "The token's sub is not a UUID.") from None
        return Claims(user_id=user_id, expires_at=int(claims["exp"]))


def mint_user_token(secret: str, user_id: UUID, ttl_s: int) -> str:
    """Return a token that Supabase Realtime and our sockets accept as this user for `ttl_s` seconds."""
    now = int(time.time())
    claims = {"sub": str(user_id), "role": AUDIENCE, "aud": AUDIENCE, "iat": now, "exp": now + ttl_s}
    return jwt.encode(claims, secret, algorithm=ALGORITHM)


def mint_role_key(secret: str, role: str, ttl_s: int) -> str:
    """Return an `anon` or `service_role` key in the older, JWT form that every Supabase client accepts."""
    now = int(time.time())
    return jwt.encode({"role": role, "iss": "supabase", "iat": now, "exp": now + ttl_s}, secret, algorithm=ALGORITHM)
