"""A client in Python: the official `realtime` package, in a thread of its own, noting what it is handed."""

import asyncio
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from realtime import AsyncRealtimeClient, RealtimeChannelOptions, RealtimeSubscribeStates

READY_TIMEOUT_S = 30.0


class PythonListener:
    """Joins private channels of conversations; `lines` has the shape that listener.mjs prints."""

    def __init__(self, *, supabase_url: str, anon_key: str, token: str, conversations: Sequence[int]) -> None:
        self.lines: list[dict[str, Any]] = []
        self.refusals: list[str] = []
        self._url = f"{supabase_url}/realtime/v1"
        self._anon_key = anon_key
        self._token = token
        self._conversations = conversations
        self._answered = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._done: asyncio.Event | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._listen()))

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._answered.wait(READY_TIMEOUT_S), "the Python client got no answer to its joins"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loop and self._done:
            self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join(READY_TIMEOUT_S)

    async def _listen(self) -> None:
        self._loop, self._done = asyncio.get_running_loop(), asyncio.Event()
        client = AsyncRealtimeClient(self._url, self._anon_key, max_retries=1_000_000, initial_backoff=1)
        await client.connect()
        await client.set_auth(self._token)
        waiting = set(self._conversations)
        for conversation_id in self._conversations:
            await self._join(client, conversation_id, waiting)
        await self._done.wait()
        await client.close()

    async def _join(self, client: AsyncRealtimeClient, conversation_id: int, waiting: set[int]) -> None:
        def note(message: Any) -> None:
            payload = message["payload"]
            self.lines.append(
                {
                    "type": "message",
                    "side": "supabase",
                    "conversationId": conversation_id,
                    "seq": payload["seq"],
                    "eventId": payload["eventId"],
                    "via": "live",
                }
            )

        def answered(state: RealtimeSubscribeStates, error: Exception | None) -> None:
            if state is not RealtimeSubscribeStates.SUBSCRIBED:
                self.refusals.append(f"{state}: {error}")
            waiting.discard(conversation_id)
            if not waiting:
                self._answered.set()

        options: RealtimeChannelOptions = {"config": {"private": True, "broadcast": None, "presence": None}}
        channel = client.channel(f"conversation:{conversation_id}", options)
        await channel.on_broadcast("message.new", note).subscribe(answered)
