"""Channel: one joined topic of one connection. What it may do, what it receives, and the four ways it ends."""

import asyncio
import contextlib
import time
from collections import deque
from typing import Any

from ops.local_supabase.access import refusals
from ops.local_supabase.access.authorization import EVERYTHING, Permissions
from ops.local_supabase.access.tokens import Claims
from ops.local_supabase.sockets.context import Connection
from ops.local_supabase.sockets.hub import Listener
from ops.local_supabase.sockets.join_config import JoinConfig
from ops.local_supabase.sockets.presence import PresenceFanout
from ops.local_supabase.sockets.replay import StoredMessage
from ops.local_supabase.wire.frames import Frame, Version
from ops.local_supabase.wire.messages import Fanout


class Channel:
    """Lives from an accepted join to phx_close, phx_error, a second join, or the end of its connection."""

    def __init__(self, socket: Connection, frame: Frame, config: JoinConfig, token: str, claims: Claims) -> None:
        self.socket = socket
        self.context = socket.context
        self.topic = str(frame.topic)
        self.name = self.topic.removeprefix("realtime:")
        self.key = (config.private, self.name)
        self.join_ref = frame.join_ref
        self.own_ref = frame.ref if frame.join_ref is None else frame.join_ref  # what its pushes and replies carry
        self.config = config
        self.token = token
        self.claims = claims
        self.read = EVERYTHING  # public channels ask nobody
        self.write: Permissions | None = None if config.private else EVERYTHING
        self.presence_enabled = config.presence_enabled or self.context.settings.presence_enabled
        self.presence_calls: deque[float] = deque()
        self.replayed: set[str] = set()
        self._held: list[Fanout] | None = None if config.replay is None else []
        self.leaving = False
        self.closed = False
        self._expiry: asyncio.TimerHandle | None = None

    @property
    def version(self) -> Version:
        return self.socket.wire.version

    def push(self, event: str, payload: Any) -> None:
        """Send an event of this channel alone (v2 carries its join_ref)."""
        self.socket.enqueue(self.socket.wire.encode(self.own_ref, None, self.topic, event, payload))

    def reply(self, ref: Any, status: str, response: Any) -> None:
        self.socket.enqueue(self.socket.wire.encode_reply(self.own_ref, ref, self.topic, status, response))

    def push_system(self, message: str, *, status: str = "ok", extension: str = "system") -> None:
        payload = {"message": message, "status": status, "extension": extension, "channel": self.name}
        self.push("system", payload)

    def push_replayed(self, message: StoredMessage) -> None:
        """Send a stored message again; should it also arrive live, it is not repeated."""
        self.replayed.add(message.id)
        meta = {"id": message.id, "replayed": True}
        with contextlib.suppress(ValueError):  # an event name too long for a binary frame: lost live as well
            self.socket.enqueue(
                self.socket.wire.encode_stored(
                    self.own_ref, self.topic, message.event, meta, message.content, message.encoding
                )
            )

    def release_held(self) -> None:
        """Pass on what arrived while stored messages were looked up; those that were among them are not repeated."""
        held, self._held = self._held, None
        for message in held or ():
            self.deliver(message, None)

    def push_presence_state(self) -> None:
        """The last thing after a join; counted, and refused when the project is over its presence rate."""
        if not self.presence_enabled or not self.read.presence:
            return
        if self.context.rates.presence.over:
            self.shutdown("Too many presence messages per second")
            return
        self.context.rates.presence.add()
        self.push("presence_state", self.context.presence.state(self.key))

    def deliver(self, message: Fanout, sender: Listener | None) -> None:
        """Pass a message on, unless a permission, an own copy or an earlier replay speaks against it."""
        if self.closed:
            return
        if isinstance(message, PresenceFanout):
            self._deliver_presence(message)
            return
        if not self.read.broadcast or (sender is self and not self.config.own):
            return
        if self._held is not None:
            self._held.append(message)  # until the stored messages, which come first, are out
            return
        if message.message_id is not None and message.message_id in self.replayed:
            return
        self._deliver(message)

    def deliver_change(self, message: Fanout) -> None:
        """Send an event of postgres_changes, which has been authorized row by row."""
        if not self.closed:
            self._deliver(message)

    def _deliver(self, message: Fanout) -> None:
        frame = message.encoded(self.version)
        if frame is None:
            return
        self.socket.enqueue(frame)
        self.context.rates.events.add()
        if self.context.rates.events.over:  # the message itself, and the reply to its sender, still go out
            asyncio.get_running_loop().call_soon(self.shutdown, "Too many messages per second")

    def _deliver_presence(self, message: PresenceFanout) -> None:
        if not self.read.presence:
            return
        self.context.rates.presence.add()
        if self.config.private and not self.config.presence_enabled:
            self.push(message.event, message.payload)  # asked for later, by tracking: comes as an own push
        else:
            self.socket.enqueue(message.encoded(self.version))

    def attach(self) -> None:
        """Begin to listen, and to watch the token."""
        self.context.hub.subscribe(*self.key, self)
        self.watch_token()

    def watch_token(self) -> None:
        """Look at the token again when it expires, and at least every few minutes."""
        if self._expiry is not None:
            self._expiry.cancel()
        left_s = max(self.claims.expires_at - time.time(), 0)
        delay_s = min(left_s, self.context.settings.timings.token_check_s)
        self._expiry = asyncio.get_running_loop().call_later(delay_s, self._check_token)

    def _check_token(self) -> None:
        late_s = time.time() - self.claims.expires_at
        if late_s >= 0:
            self.shutdown(refusals.expired(int(late_s)))
        else:
            self.watch_token()

    def detach(self) -> None:
        """Stop listening without a word; presence and subscriptions of this channel end here."""
        if self.closed:
            return
        self.closed = True
        if self._expiry is not None:
            self._expiry.cancel()
        self.context.hub.unsubscribe(*self.key, self)
        self.context.presence.untrack(self.key, self)
        self.context.changes.unsubscribe(self)
        self.socket.forget(self)

    def close(self) -> None:
        """The normal end: phx_close, with the join_ref as its ref."""
        self.detach()
        self.socket.enqueue(self.socket.wire.encode(self.join_ref, self.join_ref, self.topic, "phx_close", {}))

    def shutdown(self, message: str) -> None:
        """Say why, then close."""
        if not self.closed:
            self.push_system(message, status="error")
            self.close()

    def crash(self) -> None:
        """What a client sees when its message made the real server's channel process fail: it joins again."""
        if not self.closed:
            self.detach()
            payload = {"reason": "channel_crash"}
            self.socket.enqueue(self.socket.wire.encode(self.join_ref, self.join_ref, self.topic, "phx_error", payload))
