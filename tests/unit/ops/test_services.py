"""How `up` starts its processes."""

from ops.embedded.services import Addresses, supabase_spec

ADDRESSES = Addresses(
    gateway_port=1,
    bridge_port=2,
    supabase_port=3,
    metrics_port=5,
    bridge_metrics_port=6,
    database_url="postgresql://postgres:postgres@127.0.0.1:4/postgres",
    database_admin_url="postgresql://supabase_admin@/postgres?host=%2Fdata&port=4",
    redis_url="unix:///redis.sock",
)


def test_public_channels_open_on_request_only() -> None:
    """As the README advises for a real project, unless somebody wants them."""
    assert "--private-only" in supabase_spec(ADDRESSES, {}, allow_public=False).command
    assert "--private-only" not in supabase_spec(ADDRESSES, {}, allow_public=True).command
