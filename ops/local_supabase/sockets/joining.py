"""Decides about a phx_join, in the real server's order of questions, and says what a new channel hears first."""

from typing import TYPE_CHECKING

from ops.local_supabase.access import refusals
from ops.local_supabase.access.authorization import (
    Extension,
    MissingPartitionError,
    Permissions,
    PolicyError,
    PolicyTimeoutError,
)
from ops.local_supabase.access.refusals import JoinRefusedError
from ops.local_supabase.access.tokens import TokenError
from ops.local_supabase.database.connections import DatabaseUnavailableError
from ops.local_supabase.sockets import join_config
from ops.local_supabase.sockets.channel import Channel
from ops.local_supabase.sockets.join_config import JoinConfig
from ops.local_supabase.sockets.replay import StoredMessage, recent_messages
from ops.local_supabase.wire.frames import Frame

if TYPE_CHECKING:
    from ops.local_supabase.sockets.socket import Socket


class Admission:
    """An accepted join: its channel, already listening, and the messages to replay."""

    def __init__(self, channel: Channel, replayed: list[StoredMessage]) -> None:
        self.channel = channel
        self._replayed = replayed

    async def welcome(self) -> None:
        """After the reply: replay, then the system messages, and presence_state last."""
        channel = self.channel
        for message in self._replayed:
            channel.push_replayed(message)
        channel.release_held()
        if channel.config.bindings:
            await channel.project.changes.subscribe(channel)
        if channel.config.replication_ready:
            channel.project.announce_replication(channel)
        if not channel.closed:
            channel.push_presence_state()


async def admit(socket: "Socket", frame: Frame) -> Admission:
    """Accept a join or raise JoinRefusedError."""
    name = str(frame.topic).removeprefix("realtime:")
    if not name:
        raise JoinRefusedError("TopicNameRequired: You must provide a topic name")
    _check_limits(socket)
    config = join_config.read(frame.payload, name)
    if socket.project.settings.private_only and not config.private:
        raise JoinRefusedError("PrivateOnly: This project only allows private channels")
    channel = _verified_channel(socket, frame, config)
    if config.private:
        await _authorize(channel)
    channel.attach()
    try:
        replayed = await _replayed_messages(channel)
    except JoinRefusedError:
        channel.detach()
        raise
    return Admission(channel, replayed)


def _check_limits(socket: "Socket") -> None:
    project = socket.project
    if project.rates.joins.over:
        raise JoinRefusedError("ClientJoinRateLimitReached: Too many joins per second", disconnect=True)
    project.rates.begin()
    project.rates.joins.add()
    if len(socket.channels) >= project.settings.limits.max_channels_per_client:
        raise JoinRefusedError("ChannelRateLimitReached: Too many channels")
    if not socket.counted and project.users_full():
        raise JoinRefusedError("ConnectionRateLimitReached: Too many connected users")


def _verified_channel(socket: "Socket", frame: Frame, config: JoinConfig) -> Channel:
    token = config.token if config.token is not None and not config.token.startswith("sb_") else socket.token
    try:
        claims = socket.project.verifier.verify(token)
    except TokenError as error:
        raise refusals.at_join(error) from None
    return Channel(socket, frame, config, token, claims)


async def _authorize(channel: Channel) -> None:
    extensions = [Extension.BROADCAST, *([Extension.PRESENCE] if channel.presence_enabled else [])]
    try:
        channel.read = await channel.project.authorizer.readable(channel.name, channel.claims, extensions)
    except PolicyTimeoutError:
        raise JoinRefusedError("QueryCanceled: canceling statement due to statement timeout") from None
    except PolicyError:
        channel.read = Permissions()
    except MissingPartitionError:
        raise JoinRefusedError("MissingPartition: Partition for today is missing") from None
    except DatabaseUnavailableError:
        raise JoinRefusedError("UnableToConnectToProject: Realtime was unable to connect to the database") from None
    if not channel.read.broadcast and not channel.read.presence:
        raise JoinRefusedError(f"Unauthorized: {refusals.unreadable(channel.name)}")


async def _replayed_messages(channel: Channel) -> list[StoredMessage]:
    if channel.config.replay is None:
        return []
    try:
        return await recent_messages(channel.project.sessions, channel.name, channel.config.replay)
    except DatabaseUnavailableError:
        raise JoinRefusedError("UnableToReplayMessages: Realtime was unable to replay messages") from None
