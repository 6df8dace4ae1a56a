"""`/channels`: messengers that speak for the account. Parse, call the service, render; secrets are shown once or never.

A conversation belongs to a channel when its `channel` is the channel's name: what is sent there goes out through it.
"""

import json
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from flask import Blueprint, Response, g
from pydantic import AfterValidator, StringConstraints
from pydantic_core import PydanticCustomError

from gateway.domain.messages import Channel, ChannelChange, NewChannel
from gateway.http import rendering
from gateway.http.validation import read_body, read_query
from gateway.services.channels import Channels, spelled
from gateway.v1.paths import PREFIX
from gateway.v1.schemas.fields import Body, Changes, NoQuery, Text128, Text255
from gateway.wuzapi.views import PREFIX as HOOKS

CHANNEL = "/channels/<uuid:channel_id>"


def _not_api(name: str) -> str:
    if name == "api":
        raise PydanticCustomError("not_allowed", "Choose another name: api stands for conversations without a channel.")
    return name


Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,64}$"), AfterValidator(_not_api)]
BaseUrl = Annotated[Text255, AfterValidator(spelled)]
HeaderText = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,255}$")]  # it travels in an HTTP header
HmacKey = Annotated[str, StringConstraints(min_length=32, max_length=255)]  # 32 is WUZAPI's own minimum


class CreateChannel(Body):
    kind: Literal["wuzapi"] = "wuzapi"
    name: Name
    base_url: BaseUrl
    token: HeaderText
    hmac_key: HmacKey | None = None
    provider_user_id: Text128 | None = None
    enabled: bool = True

    def to_domain(self) -> NewChannel:
        return NewChannel(
            kind=self.kind,
            name=self.name,
            base_url=self.base_url,
            token=self.token,
            hmac_key=self.hmac_key,
            provider_user_id=self.provider_user_id,
            enabled=self.enabled,
        )


class ChangeChannel(Changes):
    base_url: BaseUrl | None = None
    token: HeaderText | None = None
    hmac_key: HmacKey | None = None
    provider_user_id: Text128 | None = None
    enabled: bool | None = None

    def to_domain(self) -> ChannelChange:
        return ChannelChange(
            base_url=self.base_url,
            token=self.token,
            hmac_key=self.hmac_key,
            provider_user_id=self.provider_user_id,
            clears_provider_user_id="provider_user_id" in self.model_fields_set and self.provider_user_id is None,
            enabled=self.enabled,
        )


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
