"""Joining: the decision about a phx_join, and what is heard first. In the real server's order of questions."""

import asyncio

from ops.local_supabase.access import refusals
from ops.local_supabase.access.authorization import Extension, NotDecidedError, Permissions
from ops.local_supabase.access.refusals import JoinRefusedError
from ops.local_supabase.access.tokens import TokenError
from ops.local_supabase.database.connections import DatabaseUnavailableError
from ops.local_supabase.sockets import join_config
from ops.local_supabase.sockets.channel import Channel
from ops.local_supabase.sockets.context import Connection
from ops.local_supabase.sockets.join_config import JoinConfig
from ops.local_supabase.sockets.replay import StoredMessage, recent_messages
from ops.local_supabase.wire.frames import Frame

REPLICATION_WAIT_S = 30.0  # how long a channel that asked for it waits to hear that the stream is up


async def welcome(channel: Channel, replayed: list[StoredMessage]) -> None:
    """After the reply: replay, then the system messages, and presence_state last."""
    for message in replayed:
        channel.push_replayed(message)
    channel.release_held()
    if channel.config.bindings:
        await channel.context.changes.subscribe(channel)
    if channel.config.replication_ready:
        _announce_replication(channel)
    if not channel.closed:
        channel.push_presence_state()


async def admit(socket: Connection, frame: Frame) -> tuple[Channel, list[StoredMessage]]:
    """Accept a join or raise JoinRefusedError: its channel, already listening, and the messages to replay."""
    name = str(frame.topic).removeprefix("realtime:")
    if not name:
        raise JoinRefusedError("TopicNameRequired: You must provide a topic name")
    _check_limits(socket)
    config = join_config.read(frame.payload, name)
    if socket.context.settings.private_only and not config.private:
        raise JoinRefusedError("PrivateOnly: This project only allows private channels")
    channel = _verified_channel(socket, frame, config)
    if config.private:
        await _authorize(channel)
    channel.attach()
    if config.replay is None:
        return channel, []
    try:
        return channel, await recent_messages(socket.context.sessions, name, config.replay)
    except DatabaseUnavailableError:
        channel.detach()
        raise JoinRefusedError("UnableToReplayMessages: Realtime was unable to replay messages") from None


def _check_limits(socket: Connection) -> None:
    context = socket.context
    if context.rates.joins.over:
        raise JoinRefusedError("ClientJoinRateLimitReached: Too many joins per second", disconnect=True)
    context.rates.begin()
    context.rates.joins.add()
    if len(socket.channels) >= context.settings.limits.max_channels_per_client:
        raise JoinRefusedError("ChannelRateLimitReached: Too many channels")
    if context.full and socket not in context.users:
        raise JoinRefusedError("ConnectionRateLimitReached: Too many connected users")


def _verified_channel(socket: Connection, frame: Frame, config: JoinConfig) -> Channel:
    token = config.token if config.token is not None and not config.token.startswith("sb_") else socket.token
    try:
        claims = socket.context.verifier.verify(token)
    except TokenError as error:
        raise refusals.at_join(error) from None
    return Channel(socket, frame, config, token, claims)


async def _authorize(channel: Channel) -> None:
    extensions = [Extension.BROADCAST, *([Extension.PRESENCE] if channel.presence_enabled else [])]
    try:
        channel.read = await channel.context.authorizer.readable(channel.name, channel.claims, extensions)
    except NotDecidedError as error:
        if error.at_join:
            raise JoinRefusedError(error.at_join) from None
        channel.read = Permissions()
    if not channel.read.broadcast and not channel.read.presence:
        raise JoinRefusedError(f"Unauthorized: {refusals.unreadable(channel.name)}")


def _announce_replication(channel: Channel) -> None:
    """Tell a channel that broadcasts from the database will reach it, now or once the stream is back."""
    if channel.context.replicating.is_set():
        channel.push_system("Replication connection established")
    else:
        channel.context.spawn(_announce_later(channel))


async def _announce_later(channel: Channel) -> None:
    try:
        await asyncio.wait_for(channel.context.replicating.wait(), REPLICATION_WAIT_S)
    except TimeoutError:
        channel.shutdown("Replication connection was not established in time")
    else:
        if not channel.closed:
            channel.push_system("Replication connection established")
