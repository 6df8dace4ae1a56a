"""Tokens (JWT) as Realtime verifies them: signature, `exp`, `role`. Never `aud`, `iss` or `sub`."""

import json
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import jwt
from jwt.algorithms import get_default_algorithms

from realtime_bridge.shared.environment import ConfigurationError

_HMAC = {"HS256", "HS384", "HS512"}
_KEY_TYPES = {"RS": "RSA", "ES": "EC", "Ed": "OKP"}
_ALGORITHMS = get_default_algorithms()
_PUBLIC_PARTS = {"kty", "kid", "alg", "use", "key_ops", "crv", "x", "y", "n", "e"}
_PARTS = 3


class Fault(StrEnum):
    """Why a token was refused; the handshake, joins and refreshes each have their own words for it."""

    MALFORMED = "malformed"
    BAD_SIGNATURE = "bad_signature"
    NO_SIGNER = "no_signer"
    EXPIRED = "expired"
    CLAIMS_MISSING = "claims_missing"
    CRASH = "crash"


@dataclass(eq=False)
class TokenError(Exception):
    """A refused token."""

    fault: Fault
    expired_s: int = 0


@dataclass(frozen=True, slots=True)
class Claims:
    """A verified token: its role, its end, and all of it as the JSON that policies read."""

    role: str
    expires_at: float
    subject: str | None
    json: str


class TokenVerifier:
    """Checks tokens against the shared secret and a set of public keys."""

    def __init__(self, secret: str, jwks: str = "") -> None:
        self._secret = secret.encode()
        self._keys = _read_jwks(jwks)

    def verify(self, token: str) -> Claims:
        """Return the claims; raises TokenError."""
        header, signed, signature, payload = _split(token)
        name = header.get("alg")
        key = self._find_key(name, header.get("kid"))
        if not _ALGORITHMS[str(name)].verify(signed, key, signature):
            raise TokenError(Fault.BAD_SIGNATURE)
        return _check_claims(payload)

    def public_keys(self) -> list[dict[str, Any]]:
        """The asymmetric keys we verify with, without private parts; shared secrets stay out."""
        return [
            {name: value for name, value in key.items() if name in _PUBLIC_PARTS}
            for key in self._keys.values()
            if key.get("kty") in _KEY_TYPES.values()
        ]

    def _find_key(self, name: Any, kid: Any) -> Any:
        if not isinstance(name, str) or name not in _ALGORITHMS or name == "none":
            raise TokenError(Fault.NO_SIGNER)
        entry = self._keys.get(kid) if isinstance(kid, str) else None
        if name in _HMAC:
            raw = entry if entry is not None and entry.get("kty") == "oct" else None
            return _ALGORITHMS[name].from_jwk(raw) if raw else self._secret
        if entry is None or entry.get("kty") != _KEY_TYPES.get(name[:2]):
            raise TokenError(Fault.NO_SIGNER)
        return _ALGORITHMS[name].from_jwk(entry)


def _read_jwks(text: str) -> dict[str, dict[str, Any]]:
    if not text:
        return {}
    try:
        return {str(key["kid"]): key for key in json.loads(text)["keys"]}
    except (ValueError, TypeError, KeyError):
        raise ConfigurationError('SUPABASE_JWKS must be a JSON Web Key Set: {"keys": [{"kid": …}, …]}.') from None


def _split(token: str) -> tuple[dict[str, Any], bytes, bytes, Any]:
    parts = token.split(".")
    if len(parts) != _PARTS:
        raise TokenError(Fault.MALFORMED)
    if not parts[0].isascii() or " " in parts[0]:
        raise TokenError(Fault.CRASH)  # the real server's decoder falls over such bytes, and so does the join
    try:
        header = json.loads(jwt.utils.base64url_decode(parts[0]))
        payload = json.loads(jwt.utils.base64url_decode(parts[1]))
        signature = jwt.utils.base64url_decode(parts[2])
    except ValueError:
        raise TokenError(Fault.MALFORMED) from None
    if not isinstance(header, dict):
        raise TokenError(Fault.MALFORMED)
    return header, f"{parts[0]}.{parts[1]}".encode(), signature, payload


def _check_claims(payload: Any) -> Claims:
    if not isinstance(payload, dict):
        raise TokenError(Fault.MALFORMED)
    role, expires_at, subject = payload.get("role"), payload.get("exp"), payload.get("sub")
    if "exp" in payload and (not isinstance(expires_at, int | float) or isinstance(expires_at, bool)):
        raise TokenError(Fault.CRASH)
    if not isinstance(role, str) or expires_at is None:
        raise TokenError(Fault.CLAIMS_MISSING)
    if expires_at <= time.time():
        raise TokenError(Fault.EXPIRED, expired_s=int(time.time() - expires_at))
    return Claims(
        role=role,
        expires_at=float(expires_at),
        subject=subject if isinstance(subject, str) else None,
        json=json.dumps(payload, ensure_ascii=False),
    )
