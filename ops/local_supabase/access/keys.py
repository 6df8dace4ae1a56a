"""Keys of the API, as hosted: opaque ones become role tokens."""

from ops.local_supabase.settings import Settings
from realtime_bridge.shared.tokens import mint_role_key

ROLE_KEY_TTL_S = 10 * 365 * 86_400  # a development key outlives the project
EXCHANGED_TTL_S = 86_400  # hosted: connections made with a publishable key end after 24 h


class ApiKeys:
    """Mints the legacy role keys and exchanges the opaque ones."""

    def __init__(self, settings: Settings) -> None:
        self._secret = settings.jwt_secret
        self._roles = {settings.publishable_key: "anon", settings.secret_key: "service_role"}

    def exchange(self, key: str) -> str:
        """Return a token for a known `sb_` key; everything else, unknown ones included, is returned as it came."""
        role = self._roles.get(key)
        return self.mint(role, EXCHANGED_TTL_S) if role else key

    def mint(self, role: str, ttl_s: int = ROLE_KEY_TTL_S) -> str:
        """Make a key of a role: what `anon` and `service_role` keys have always been."""
        return mint_role_key(self._secret, role, ttl_s)
