"""Events of clients on a joined channel: broadcast, presence, access_token. Unknown events are not answered."""

import time
from typing import Any

from ops.local_supabase.access import refusals
from ops.local_supabase.access.authorization import EVERYTHING, Extension, NotDecidedError, Permissions
from ops.local_supabase.access.tokens import Fault, TokenError
from ops.local_supabase.sockets.channel import Channel
from ops.local_supabase.wire import payload_size
from ops.local_supabase.wire.frames import Frame, UserBroadcastPush, Version
from ops.local_supabase.wire.messages import BinaryFanout, Fanout, TextFanout, UserFanout

BOTH = (Extension.BROADCAST, Extension.PRESENCE)
_NOTHING = Permissions()


async def handle(channel: Channel, frame: Frame) -> None:
    """Act on one message of the client."""
    if frame.event == "broadcast":
        await _broadcast(channel, frame)
    elif frame.event == "presence":
        await _presence(channel, frame)
    elif frame.event == "access_token":
        await _access_token(channel, frame.payload)


async def _broadcast(channel: Channel, frame: Frame) -> None:
    if not (await _write_permissions(channel)).broadcast:
        return  # silent even with ack, as on the real server
    payload = frame.payload
    sized = payload.content if isinstance(payload, UserBroadcastPush) else payload
    if payload_size.exceeds(sized, frame.bytes, channel.context.settings.limits.max_payload_size_kb):
        if channel.config.ack:
            channel.reply(frame.ref, "error", "payload_size_exceeded")
        return
    if not isinstance(payload, dict | UserBroadcastPush | bytes) and _has_v2_listener(channel):
        channel.crash()
        return
    channel.context.rates.events.add()
    channel.context.hub.publish(*channel.key, _fanout(channel, payload), sender=channel)
    if channel.config.ack and not (channel.closed and not channel.config.own):
        channel.reply(frame.ref, "ok", {})


def _fanout(channel: Channel, payload: Any) -> Fanout:
    if isinstance(payload, UserBroadcastPush):
        return UserFanout(channel.topic, payload.event, payload.content, payload.encoding)
    if isinstance(payload, bytes):
        return BinaryFanout(channel.topic, payload)
    return TextFanout(channel.topic, "broadcast", payload)


def _has_v2_listener(channel: Channel) -> bool:
    return any(listener.version is Version.V2 for listener in channel.context.hub.listeners(*channel.key))


async def _presence(channel: Channel, frame: Frame) -> None:
    payload = frame.payload
    event = payload.get("event") if isinstance(payload, dict) else None
    if event is None:
        channel.reply(frame.ref, "ok", {})
        return
    if not isinstance(event, str):
        channel.crash()
        return
    if event.lower() not in ("track", "untrack"):
        channel.reply(frame.ref, "error", {})
        return
    if _too_many_calls(channel):
        channel.shutdown("Client presence rate limit exceeded")
    elif event.lower() == "untrack":
        channel.context.presence.untrack(channel.key, channel)
        channel.reply(frame.ref, "ok", {})
    else:
        await _track(channel, frame, payload.get("payload", {}))


async def _track(channel: Channel, frame: Frame, payload: Any) -> None:
    limits = channel.context.settings.limits
    if channel.context.rates.presence.over:
        channel.shutdown("Too many presence messages per second")
    elif not isinstance(payload, dict):
        channel.reply(frame.ref, "error", {"reason": "Presence track payload must be a map"})
    elif payload_size.exceeds(payload, frame.bytes, limits.max_payload_size_kb):
        channel.shutdown("Track message size exceeded")
    elif not (await _write_permissions(channel)).presence:
        channel.reply(frame.ref, "error", {})
    else:
        if not channel.presence_enabled:
            channel.presence_enabled = True
            if channel.config.private:
                channel.read = await _read_permissions(channel)
        channel.context.rates.presence.add()
        channel.reply(frame.ref, "ok", {})
        channel.context.presence.track(channel.key, channel, channel.config.presence_key, payload)


def _too_many_calls(channel: Channel) -> bool:
    now = time.monotonic()
    calls = channel.presence_calls
    while calls and calls[0] <= now - channel.context.settings.timings.presence_window_s:
        calls.popleft()
    calls.append(now)
    return len(calls) > channel.context.settings.limits.max_client_presence_events_per_window


async def _access_token(channel: Channel, payload: Any) -> None:
    token = payload.get("access_token") if isinstance(payload, dict) else None
    if not isinstance(token, str) or token.startswith("sb_") or token == channel.token:
        return
    try:
        claims = channel.context.verifier.verify(token)
    except TokenError as error:
        if error.fault is Fault.CRASH:
            channel.crash()
        else:
            channel.shutdown(refusals.at_refresh(error))
        return
    channel.token, channel.claims = token, claims
    if channel.config.private and not await _refresh_permissions(channel):
        return
    channel.watch_token()
    if channel.config.bindings:
        await channel.context.changes.subscribe(channel)


async def _refresh_permissions(channel: Channel) -> bool:
    before, channel.read, channel.write = channel.read, await _read_permissions(channel), None
    if not channel.read.broadcast and not channel.read.presence:
        channel.shutdown(refusals.unreadable(channel.name))
        return False
    if (before.broadcast and not channel.read.broadcast) or (before.presence and not channel.read.presence):
        channel.shutdown(refusals.no_longer_readable(channel.name))
        return False
    return True


async def _read_permissions(channel: Channel) -> Permissions:
    """Run the SELECT policies; a failing policy allows nothing."""
    extensions = BOTH if channel.presence_enabled else (Extension.BROADCAST,)
    try:
        return await channel.context.authorizer.readable(channel.name, channel.claims, extensions)
    except NotDecidedError:
        return _NOTHING


async def _write_permissions(channel: Channel) -> Permissions:
    """Run the INSERT policies on first need; the answer holds until the next token."""
    if not channel.config.private:
        return EVERYTHING
    if channel.write is None:
        try:
            channel.write = await channel.context.authorizer.writable(channel.name, channel.claims, BOTH)
        except NotDecidedError as error:
            channel.write = None if error.is_for_now else _NOTHING
            return _NOTHING
    return channel.write
