"""Mailbox of one connection: frames in and out, in order. Bounded on both sides."""

import asyncio
from collections import deque

from ops.local_supabase.settings import Queues
from ops.local_supabase.wire.frames import Frame, Outgoing


class MailboxFullError(Exception):
    """The client does not read what is sent to it."""


class Mailbox:
    """One queue for both directions, because the real server's connection process has one."""

    def __init__(self, queues: Queues) -> None:
        self._queues = queues
        self._items: deque[Frame | Outgoing] = deque()
        self._in_frames = self._in_bytes = 0
        self._out_frames = self._out_bytes = 0
        self._filled = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    def put_out(self, frame: Outgoing) -> None:
        """Put a frame behind everything that waits; raises MailboxFullError past the bounds."""
        self._out_frames += 1
        self._out_bytes += len(frame.data)
        if self._out_frames > self._queues.outbound_frames or self._out_bytes > self._queues.outbound_bytes:
            raise MailboxFullError(f"{self._out_frames} frames, {self._out_bytes} bytes")
        self._items.append(frame)
        self._filled.set()

    async def put_in(self, frame: Frame) -> None:
        """Put a frame of the client, and wait while too much of it waits already: then nothing more is read."""
        self._items.append(frame)
        self._in_frames += 1
        self._in_bytes += frame.bytes
        self._filled.set()
        if self._in_frames >= self._queues.inbound_frames or self._in_bytes >= self._queues.inbound_bytes:
            self._room.clear()
            await self._room.wait()

    async def get(self) -> Frame | Outgoing:
        """Return the next item, when there is one."""
        while not self._items:
            self._filled.clear()
            await self._filled.wait()
        item = self._items.popleft()
        if isinstance(item, Outgoing):
            self._out_frames -= 1
            self._out_bytes -= len(item.data)
        else:
            self._in_frames -= 1
            self._in_bytes -= item.bytes
            self._room.set()
        return item

    def clear(self) -> None:
        """Forget what waits; a blocked reader goes on to see the end of its connection."""
        self._items.clear()
        self._in_frames = self._in_bytes = self._out_frames = self._out_bytes = 0
        self._room.set()
