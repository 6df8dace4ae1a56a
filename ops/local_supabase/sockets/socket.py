"""WebSocket of one connection: a mailbox, worked through in order. It holds what came in and what goes out.

The order is the real server's: a refused join keeps everything else on its connection waiting, and what a channel
answers goes behind what is already waiting. Nothing one client sends or fails to read can hold up another.
"""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiohttp import WSMsgType, web

from ops.local_supabase.access.refusals import JoinRefusedError
from ops.local_supabase.sockets import client_events, joining
from ops.local_supabase.sockets.channel import Channel
from ops.local_supabase.sockets.context import Context
from ops.local_supabase.sockets.hub import Listener
from ops.local_supabase.sockets.mailbox import Mailbox, MailboxFullError
from ops.local_supabase.wire.frames import Frame, MalformedFrameError, Outgoing
from ops.local_supabase.wire.serializer import Serializer

RESTART, GOING_AWAY, POLICY = 1012, 1001, 1008  # RFC 6455 section 7.4.1 and the IANA registry
CLOSE_TIMEOUT_S = 2.0  # how long a client may take to answer a close frame
TURN_ITEMS = 50  # after so many, others get their turn: a flood slows only its sender

_log = structlog.get_logger(__name__)


@dataclass(eq=False, repr=False)
class Socket:
    """Reads, answers and delivers for one client."""

    context: Context
    websocket: web.WebSocketResponse
    transport: asyncio.Transport
    token: str
    wire: Serializer
    channels: dict[str, Channel] = field(default_factory=dict)
    last_frame_at: float = field(default_factory=time.monotonic)
    _closing: bool = False

    def __post_init__(self) -> None:
        self._mailbox = Mailbox(self.context.settings.queues)

    async def run(self) -> None:
        """Serve the client until either side ends the connection."""
        worker = asyncio.create_task(self._work())
        worker.add_done_callback(self._worker_ended)
        try:
            await self._read()
        finally:
            self._closing = True
            worker.cancel()
            for channel in list(self.channels.values()):
                channel.detach()
            self.context.users.discard(self)
            await asyncio.wait([worker], timeout=CLOSE_TIMEOUT_S)

    def enqueue(self, frame: Outgoing | None) -> None:
        """Put a frame behind everything that is waiting; a client that does not read is cut off."""
        if frame is None or self._closing:
            return
        try:
            self._mailbox.put_out(frame)
        except MailboxFullError as error:
            _log.warning("slow_reader_cut_off", waiting=str(error))
            self._closing = True
            self._mailbox.clear()
            self.close_soon(POLICY)

    def forget(self, channel: Listener) -> None:
        """Let go of a channel that has ended, unless a later join has taken its topic."""
        if self.channels.get(channel.topic) is channel:
            del self.channels[channel.topic]

    async def _read(self) -> None:
        async for message in self.websocket:
            self.last_frame_at = time.monotonic()
            if message.type is WSMsgType.PING:
                await self.websocket.pong(message.data)
            elif message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                try:
                    frame = self.wire.decode(message.data)
                except MalformedFrameError:
                    continue  # dropped without an answer; the connection and its channels stay
                await self._mailbox.put_in(frame)

    async def _work(self) -> None:
        turn = 0
        while True:
            item = await self._mailbox.get()
            if isinstance(item, Outgoing):
                await self._write(item)
            else:
                await self._handle_safely(item)
            turn += 1
            if turn % TURN_ITEMS == 0:
                await asyncio.sleep(0)

    def _worker_ended(self, worker: "asyncio.Task[None]") -> None:
        """A worker ends by being cancelled; should it ever fail, the client is sent away to come back."""
        if not worker.cancelled() and (error := worker.exception()) is not None:
            _log.error("socket_failed", reason=repr(error))
            self.drop()

    async def _write(self, frame: Outgoing) -> None:
        kind = WSMsgType.BINARY if frame.binary else WSMsgType.TEXT
        try:
            await self.websocket.send_frame(frame.data, kind)
        except (ConnectionError, RuntimeError):
            self._closing = True  # the reader sees the end of the connection by itself

    async def _handle_safely(self, frame: Frame) -> None:
        try:
            await self._handle(frame)
        except Exception:  # noqa: BLE001 - logged; one client's frame must not end anything but its own channel
            _log.exception("frame_failed", topic=repr(frame.topic)[:100], frame_event=repr(frame.event)[:100])
            channel = self.channels.get(frame.topic) if isinstance(frame.topic, str) else None
            if channel is not None:
                channel.crash()

    async def _handle(self, frame: Frame) -> None:
        topic, event = frame.topic, frame.event
        channel = self.channels.get(topic) if isinstance(topic, str) else None
        if topic == "phoenix" and event == "heartbeat":
            await self._answer(None, frame, "ok", {})
        elif event == "phx_join" and isinstance(topic, str) and topic.startswith("realtime:"):
            await self._join(frame)
        elif channel is None or channel.leaving:
            await self._answer_unjoined(frame)
        elif event == "phx_leave":
            self._leave(channel, frame)
        else:
            await client_events.handle(channel, frame)

    async def _answer_unjoined(self, frame: Frame) -> None:
        if frame.event == "phx_leave":
            await self._answer(frame.join_ref, frame, "ok", {})
        else:
            await self._answer(None, frame, "error", {"reason": "unmatched topic"})

    async def _answer(self, join_ref: Any, frame: Frame, status: str, response: Any) -> None:
        """Reply ahead of what is waiting, as the real server's transport does; channels answer through the mailbox."""
        await self._write(self.wire.encode_reply(join_ref, frame.ref, frame.topic, status, response))

    async def _join(self, frame: Frame) -> None:
        """Answer at once or, when refused, late; the channel of an earlier join ends in both cases."""
        earlier = self.channels.get(frame.topic)
        if earlier is not None:
            earlier.detach()
        try:
            channel, replayed = await joining.admit(self, frame)
        except JoinRefusedError as refusal:
            await asyncio.sleep(self.context.settings.timings.channel_error_backoff_s)
            await self._answer(frame.join_ref, frame, "error", {"reason": refusal.reason})
            if earlier is not None:
                earlier.close()
            if refusal.disconnect:
                self.close_soon(GOING_AWAY)
            return
        self.channels[frame.topic] = channel
        self.context.users.add(self)
        response = {"postgres_changes": channel.config.bindings_with_ids()}
        await self._answer(frame.join_ref, frame, "ok", response)
        if earlier is not None:
            earlier.close()
        await joining.welcome(channel, replayed)

    def _leave(self, channel: Channel, frame: Frame) -> None:
        """Leave after a turn: a join sent right behind it takes the topic over, and then the leave gets no reply."""
        if frame.join_ref != channel.join_ref:
            return
        channel.leaving = True
        delay_s = self.context.settings.timings.leave_turn_s
        asyncio.get_running_loop().call_later(delay_s, self._finish_leave, channel, frame)

    def _finish_leave(self, channel: Channel, frame: Frame) -> None:
        if not channel.closed:
            channel.reply(frame.ref, "ok", {})
            channel.close()

    def close_soon(self, code: int) -> None:
        """Close with a code, in the background."""
        self.context.spawn(self.close(code))

    async def close(self, code: int) -> None:
        """Send a close frame and wait a little for the client's."""
        self._closing = True
        with contextlib.suppress(ConnectionError, RuntimeError, TimeoutError):
            await asyncio.wait_for(self.websocket.close(code=code), CLOSE_TIMEOUT_S)
        self.transport.abort()

    def drop(self) -> None:
        """End the connection without a close frame."""
        self._closing = True
        self.transport.abort()
