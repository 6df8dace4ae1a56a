"""`/channels`: messengers that speak for the account. Parse, call the service, render; secrets are shown once or never.

A conversation belongs to a channel when its `channel` is the channel's name: what is sent there goes out through it.
"""

import json
from datetime import UTC, datetime
from uuid import UUID

from flask import Blueprint, Response, g

from gateway.domain.channels import Channel
from gateway.http import rendering
from gateway.http.validation import read_body, read_query
from gateway.services.channels import Channels
from gateway.v1.paths import PREFIX
from gateway.v1.schemas.channels import CHANNEL, ChangeChannel, CreateChannel
from gateway.v1.schemas.fields import NoQuery
from gateway.wuzapi.views import PREFIX as HOOKS


def blueprint(service: Channels) -> Blueprint:
    routes = Blueprint("channels", __name__, url_prefix=PREFIX)

    def create_channel() -> Response:
        read_query(NoQuery)
        channel, hmac_key = service.create_channel(g.api_key.account_id, read_body(CreateChannel).to_domain())
        shown = _shown(channel) | {"hmacKey": hmac_key}  # the only answer that ever holds it
        return rendering.one(json.dumps(shown), status=201, headers={"Location": f"{PREFIX}/channels/{channel.id}"})

    def list_channels() -> Response:
        """All of them: an account has a handful."""
        read_query(NoQuery)
        found = service.list_channels(g.api_key.account_id)
        pagination = {"page": None, "limit": None, "total": len(found), "hasMore": False, "nextCursor": None}
        return rendering.many([json.dumps(_shown(channel)) for channel in found], pagination)

    def get_channel(channel_id: UUID) -> Response:
        read_query(NoQuery)
        return rendering.one(json.dumps(_shown(service.get_channel(g.api_key.account_id, channel_id))))

    def change_channel(channel_id: UUID) -> Response:
        read_query(NoQuery)
        change = read_body(ChangeChannel).to_domain()
        return rendering.one(json.dumps(_shown(service.change_channel(g.api_key.account_id, channel_id, change))))

    def delete_channel(channel_id: UUID) -> Response:
        read_query(NoQuery)
        service.delete_channel(g.api_key.account_id, channel_id)
        return Response(status=204)

    routes.add_url_rule("/channels", view_func=create_channel, methods=["POST"])
    routes.add_url_rule("/channels", view_func=list_channels, methods=["GET"])
    routes.add_url_rule(CHANNEL, view_func=get_channel, methods=["GET"])
    routes.add_url_rule(CHANNEL, view_func=change_channel, methods=["PATCH"])
    routes.add_url_rule(CHANNEL, view_func=delete_channel, methods=["DELETE"])
    return routes


def _shown(channel: Channel) -> dict[str, object]:
    return {
        "id": str(channel.id),
        "kind": channel.kind,
        "name": channel.name,
        "baseUrl": channel.base_url,
        "providerUserId": channel.provider_user_id,
        "enabled": channel.enabled,
        "webhookPath": f"{HOOKS}/{channel.id}",
        "consecutiveFailures": channel.consecutive_failures,
        "lastError": channel.last_error,
        "lastErrorAt": _moment(channel.last_error_at),
        "createdAt": _moment(channel.created_at),
        "updatedAt": _moment(channel.updated_at),
    }


def _moment(moment: datetime | None) -> str | None:
    """As `crossfade.iso8601` writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if moment else None
