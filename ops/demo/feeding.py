"""Which side gets nothing now, and what to type about it: asked before the demo waits for what cannot come."""

import psycopg

from ops.embedded.ready import Ready
from realtime_bridge.rollout import store
from realtime_bridge.rollout.stages import FLAG, StageName
from realtime_bridge.shared_variables import Provider

CONNECT_TIMEOUT_S = 5
ONLY_ONE = {Provider.SOCKETIO: "Supabase", Provider.SUPABASE: "Socket.IO"}
FORWARD = 'crossfade rollout set shadow --why "to see both sides"'
BACK = 'crossfade rollout set 100 --why "to see both sides"'


async def unfed(ready: Ready) -> tuple[str, str] | None:
    """Return a sentence on the side that is not fed and the command that changes it; None while both are."""
    provider = Provider(ready.provider)
    if side := ONLY_ONE.get(provider):
        return f"{side} is not fed: CHAT_REALTIME_PROVIDER is {provider}.", "CHAT_REALTIME_PROVIDER=dual ./ops/up"
    if provider is not Provider.ROLLOUT:
        return None
    connecting = psycopg.AsyncConnection.connect(ready.database_url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S)
    async with await connecting as connection:
        stage = (await store.get_dial(connection, FLAG)).stage
    if stage.name is StageName.OFF:
        return "Supabase is not fed: the dial is at off.", FORWARD
    if stage.name is StageName.COMPLETE:
        return "Socket.IO is not fed: the dial is at complete.", BACK
    return None
