"""Sides that a realtime session is told of. Plain frozen values."""

from dataclasses import dataclass

from realtime_bridge.shared.signing_key import SigningKey
from realtime_bridge.shared.tokens import NO_RULES, TokenRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Where clients reach the two sides, and how their tokens are signed; what is None is not configured."""

    supabase_url: str | None = None
    supabase_public_key: str | None = None
    legacy_url: str | None = None
    signing_key: SigningKey | None = None
    token_rules: TokenRules = NO_RULES
    session_ttl_s: int = 900
