"""Secrets of the embedded stack. They are public constants: whoever reaches its ports may do everything on it.

The JWT secret is the Supabase CLI's own, so that whatever works against `supabase start` works here; see
ops/runbooks/decisions.md. Never used outside `up`.
"""

from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from ops.embedded.ready import DemoUser
from ops.local_supabase.access.keys import ROLE_KEY_TTL_S
from ops.machine.private_files import write_private
from realtime_bridge.shared.secrets import new_key
from realtime_bridge.shared.tokens import mint_role_key, mint_user_token


def ensure(file: Path) -> str:
    """Return the key in `file`; without one, make it."""
    if not file.exists():
        write_private(file, new_key() + "\n")
    return file.read_text().strip()


DEVELOPMENT_JWT_SECRET = "super-secret-jwt-token-with-at-least-32-characters-long"  # noqa: S105  public on purpose
USER_TOKEN_TTL_S = 86_400  # a day of development; the next `up` mints new ones


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    jwt_secret: str
    anon_key: str
    service_role_key: str

    @classmethod
    def for_development(cls) -> "Credentials":
        return cls(
            jwt_secret=DEVELOPMENT_JWT_SECRET,
            anon_key=mint_role_key(DEVELOPMENT_JWT_SECRET, "anon", ROLE_KEY_TTL_S),
            service_role_key=mint_role_key(DEVELOPMENT_JWT_SECRET, "service_role", ROLE_KEY_TTL_S),
        )

    def user(self, user_id: UUID) -> DemoUser:
        return DemoUser(id=str(user_id), token=mint_user_token(self.jwt_secret, user_id, USER_TOKEN_TTL_S))
