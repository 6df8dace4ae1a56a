"""`/channels`: messengers that speak for the account. Parse, call the service, render; secrets are shown once or never.

A conversation belongs to a channel when its `channel` is the channel's name: what is sent there goes out through it.
"""

from functools import partial
from uuid import UUID

from flask import Response

from gateway.domain.channels import Channel
from gateway.domain.conflicts import ChannelNameTaken, TooManyChannels
from gateway.domain.keys import Scope
from gateway.errors import NotConfigured
from gateway.http import rendering
from gateway.http.routes import Route
from gateway.services.channels import Channels
from gateway.v1.paths import PREFIX
from gateway.v1.schemas import answers
from gateway.v1.schemas.channels import ChangeChannel, CreateChannel
from gateway.wuzapi.views import PREFIX as HOOKS

CHANNELS = f"{PREFIX}/channels"
CHANNEL = f"{CHANNELS}/<uuid:channel_id>"


def create_channel(channels: Channels, account_id: UUID, body: CreateChannel) -> Response:
    """Connect a messenger. An account has 50 channels at most."""
    channel, hmac_key = channels.create_channel(account_id, dict(body))
    said = _shown(channel) | {"hmacKey": hmac_key}  # the only answer that ever holds it
    return rendering.one(said, {"Location": f"{CHANNELS}/{channel.id}"})


def list_channels(channels: Channels, account_id: UUID) -> Response:
    """List channels."""
    found = channels.list_channels(account_id)  # an account has a handful
    return rendering.many(map(_shown, found), total=len(found))


def get_channel(channels: Channels, account_id: UUID, channel_id: UUID) -> Response:
    """Get a channel."""
    return rendering.one(_shown(channels.get_channel(account_id, channel_id)))


def change_channel(channels: Channels, account_id: UUID, channel_id: UUID, body: ChangeChannel) -> Response:
    """Change a channel."""
    return rendering.one(_shown(channels.change_channel(account_id, channel_id, body.named())))


def delete_channel(channels: Channels, account_id: UUID, channel_id: UUID) -> Response:
    """Delete a channel. Its conversations stay."""
    channels.delete_channel(account_id, channel_id)
    return Response(status=204)


_route = partial(
    Route,
    area="channels",
    tag="Channels",
    own_scope=Scope.WEBHOOKS,  # they hold secrets, and decide whom we take events from
)
ROUTES = (
    _route(
        "POST",
        CHANNELS,
        create_channel,
        status=201,
        answer=answers.NewChannel,
        example={"name": "whatsapp", "baseUrl": "https://wuzapi.example.com", "token": "user-token"},
        problems=(ChannelNameTaken, TooManyChannels, NotConfigured),
        follows={"channel_id": "id"},
    ),
    _route("GET", CHANNELS, list_channels, is_list=True, answer=answers.Channel),
    _route("GET", CHANNEL, get_channel, answer=answers.Channel),
    _route(
        "PATCH", CHANNEL, change_channel, answer=answers.Channel, example={"enabled": False}, problems=(NotConfigured,)
    ),
    _route("DELETE", CHANNEL, delete_channel, status=204),
)


def _shown(channel: Channel) -> dict[str, object]:
    return rendering.shown(channel, answers.Channel, webhook_path=f"{HOOKS}/{channel.id}")
