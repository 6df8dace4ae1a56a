"""Signs of typing that came to the gateway. From the API or a phone: it says them on a channel of Postgres.

Both sides hear of it: every bridge tells its own legacy sockets; the one that delivers for Supabase tells Supabase.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import psycopg
import structlog
from psycopg_pool import PoolTimeout

from realtime_bridge import metrics
from realtime_bridge.ephemeral import signs
from realtime_bridge.ephemeral.signs import Kind, Origin, Sign, topic_of
from realtime_bridge.legacy.frame import Emit
from realtime_bridge.legacy.socketio.dialect import typing
from realtime_bridge.relay.sink import SinkError
from realtime_bridge.shared.database import Pool
from realtime_bridge.shared.payloads import decode
from realtime_bridge.supabase.transport import Broadcast, Transport, send_aside

log = structlog.get_logger(__name__)

CHANNEL = "chat_ephemeral"  # gateway/live/typing.py notifies it
FROM_GATEWAY = frozenset({Origin.API, Origin.WUZAPI})
QUEUE = 1_000  # signs that wait to be carried; more are dropped, as they may be


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSigns:
    """Hears what CHANNEL says. `speaks_for_supabase` is asked for each sign; `deliver` reaches its sockets."""

    pool: Pool
    transport: Transport
    deliver: Callable[[Emit], Awaitable[None]]
    speaks_for_supabase: Callable[[], bool]
    _heard: asyncio.Queue[str] = field(default_factory=lambda: asyncio.Queue(QUEUE))

    def hear(self, text: str) -> None:
        """Take what the channel says; returns at once."""
        try:
            self._heard.put_nowait(text)
        except asyncio.QueueFull:
            metrics.SIGNS_DROPPED.inc()

    async def run(self) -> None:
        """Carry what is heard until cancelled."""
        while True:
            await self.carry(await self._heard.get())

    async def carry(self, text: str) -> None:
        """Tell both sides; what is no sign of the API is passed over."""
        sign = read(text)
        if sign is None:
            return
        metrics.SIGNS.labels(sign.origin).inc()
        await self.deliver(typing(sign.conversation_id, sign.user_id, is_typing=sign.is_typing))
        if self.speaks_for_supabase():
            try:
                await self._broadcast(sign)
            except (SinkError, psycopg.Error, PoolTimeout, OSError) as error:
                log.info("sign not told to Supabase", error=str(error).strip())

    async def _broadcast(self, sign: Sign) -> None:
        payload = signs.crossed(sign, datetime.now(UTC))
        topic = topic_of(sign.conversation_id)
        broadcasts = [Broadcast(topic=topic, event=sign.kind.value, payload=payload, id=sign.event_id, is_hint=True)]
        await send_aside(self.transport, self.pool, broadcasts)


def read(text: str) -> Sign | None:
    """Read what the gateway notifies: `{conversationId, userId, username, isTyping, origin, hop: 0, eventId}`."""
    try:
        said = decode(text)
        username = said.get("username")
        if said["origin"] not in FROM_GATEWAY or said["hop"] != 0 or not isinstance(said["isTyping"], bool):
            return None
        return Sign(
            kind=Kind.TYPING,
            conversation_id=int(said["conversationId"]),
            user_id=UUID(said["userId"]),
            origin=Origin(said["origin"]),
            username=username if isinstance(username, str) else None,
            is_typing=said["isTyping"],
            event_id=UUID(said["eventId"]),
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
