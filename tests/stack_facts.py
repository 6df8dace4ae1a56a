"""The facts of a stack that does not run."""

from ops.embedded.ready import DemoUser, Ready

READY = Ready(
    gateway_url="http://127.0.0.1:1",
    bridge_url="http://127.0.0.1:2",
    metrics_url="http://127.0.0.1:3",
    bridge_metrics_url="http://127.0.0.1:4",
    supabase_url="http://127.0.0.1:5",
    database_url="postgresql://127.0.0.1:6/postgres",
    redis_url="redis://127.0.0.1:7",
    api_key="key",
    anon_key="anon",
    service_role_key="service",
    jwt_secret="secret",
    users=(DemoUser(id="one", token="token"),),
    conversation_id=1,
    pids={"gateway": 1},
    provider="dual",
    key_env="test",
)
