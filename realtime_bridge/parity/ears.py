"""The canary's two ears, each the official client of its side. Used by the canary only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import socketio
import structlog

from realtime_bridge.event_log.event import EventType
from realtime_bridge.rollout.dial.stages import Side
from realtime_bridge.shared.topics import conversation_topic
from realtime_bridge.supabase.seat import Seated

log = structlog.get_logger(__name__)

Hear = Callable[[Side, Mapping[str, Any]], None]
CALL_TIMEOUT_S = 5.0
CONNECT_TIMEOUT_S = 3.0


class Ear(Protocol):
    """`is_joined` says whether what is sent from now on will be heard, as far as the client knows."""

    side: Side

    @property
    def is_joined(self) -> bool: ...

    async def open(self) -> None:
        """Try to join, and keep joined from then on. Raises nothing."""

    async def close(self) -> None: ...


class SupabaseEar:
    """Sits in the conversation's private channel as the canary's user, so that policies are exercised, too."""

    side = Side.SUPABASE

    def __init__(self, seats: Seated, conversation_id: int, hear: Hear) -> None:
        self._seats = seats
        self._topic = conversation_topic(conversation_id)
        self._hear = hear

    @property
    def is_joined(self) -> bool:
        return self._seats.is_joined(self._topic)

    async def open(self) -> None:
        self._seats.take(self._topic, self._receive)

    async def close(self) -> None:
        self._seats.leave(self._topic)

    def _receive(self, event: str, payload: Mapping[str, Any]) -> None:
        if event == EventType.MESSAGE_NEW:
            self._hear(self.side, payload)


@dataclass(kw_only=True, eq=False, repr=False)
class LegacyEar:
    """python-socketio in the old clients' dialect. `token` is called for every connection, so it never is too old."""

    bridge_url: str
    path: str
    token: Callable[[], str]
    conversation_id: int
    hear: Hear
    side = Side.LEGACY
    is_joined: bool = False
    _client: socketio.AsyncClient | None = None

    async def open(self) -> None:
        """Connect unless connected; the client's own reconnecting is off, so that its state is always known."""
        if self._client is not None and self._client.connected:
            if not self.is_joined:
                await self._subscribe(self._client)
            return
        self.is_joined = False
        await self.close()
        client = self._client = socketio.AsyncClient(reconnection=False, logger=False)
        client.on("message", self._receive)
        client.on("disconnect", self._disconnected)
        try:
            await client.connect(
                self.bridge_url,
                auth=lambda: {"token": self.token()},
                socketio_path=self.path,
                transports=["websocket"],
                wait_timeout=CONNECT_TIMEOUT_S,
            )
            await self._subscribe(client)
        except (socketio.exceptions.SocketIOError, OSError, TimeoutError) as error:
            log.info("canary not on the legacy side", error=f"{type(error).__name__}: {error}".rstrip(": "))

    async def close(self) -> None:
        client, self._client = self._client, None
        self.is_joined = False
        if client is not None:
            await client.disconnect()

    async def _subscribe(self, client: socketio.AsyncClient) -> None:
        answer = await client.call("subscribe:conversation", str(self.conversation_id), timeout=CALL_TIMEOUT_S)
        self.is_joined = isinstance(answer, dict) and bool(answer.get("ok"))

    def _disconnected(self, *_reason: object) -> None:
        self.is_joined = False

    def _receive(self, frame: Mapping[str, Any]) -> None:
        self.hear(self.side, frame)
