"""Events, keys and channels of an account, described."""

from gateway import errors
from gateway.openapi.operations import answers
from gateway.openapi.operations.operation import Operation, from_body
from gateway.v1.schemas import account, channels
from gateway.v1.schemas import events as event_schemas
from gateway.v1.schemas import keys as key_schemas

CATCH_UP = """Every event of the account in the order of the log, from a cursor on. `nextCursor` is always there: keep
it, and go on with it for as long as events are kept. An event that commits late comes with a later page, and does come;
within a conversation the order is that of `conversationSeq`. An event may, rarely, come twice: drop it by `eventId`.

To begin with a state: take a cursor with `after=latest`, fetch the state, then go on from the cursor."""
LOG_ENTRY = "LogEntry"
EVENTS = "Events"
ACCOUNT = "Account"
KEYS = "API keys"
CHANNELS = "Channels"
_KEY = {
    "keys.get_key": from_body(key_id="id"),
    "keys.rotate_key": from_body(key_id="id"),
    "keys.revoke_key": from_body(key_id="id"),
}
_CHANNEL = {
    "channels.get_channel": from_body(channel_id="id"),
    "channels.change_channel": from_body(channel_id="id"),
    "channels.delete_channel": from_body(channel_id="id"),
}

OPERATIONS = {
    "events.list_events": Operation(
        summary="Catch up with events",
        tag=EVENTS,
        is_list=True,
        query=event_schemas.ListEvents,
        answer=LOG_ENTRY,
        problems=(errors.CursorExpired,),
        description=CATCH_UP,
    ),
    "account.get_account": Operation(summary="Get the account", tag=ACCOUNT, answer=answers.Account),
    "account.change_account": Operation(
        summary="Change the account",
        tag=ACCOUNT,
        body=account.ChangeAccount,
        answer=answers.Account,
        example={"contentHtml": True},
        description="With `contentHtml`, whatever shows `content` (routes, events, webhooks, channels, sockets) shows"
        " `contentHtml`, too, which is safe to put on a page, and `lastMessagePreviewHtml` beside"
        " `lastMessagePreview`. It holds within a second.",
    ),
    "keys.create_key": Operation(
        summary="Create an API key",
        tag=KEYS,
        status=201,
        body=key_schemas.CreateKey,
        answer=answers.NewKey,
        example={"name": "CRM", "scopes": ["chat:read", "chat:write"], "rateLimit": 50},
        problems=(errors.ScopeNotHeld, errors.KeyNotActive, errors.TooManyKeys),
        follows=_KEY,
        description="Its text is in this answer only. It has scopes, limits and lifetime of the calling key, or less; a"
        " key that is being replaced makes none.",
    ),
    "keys.list_keys": Operation(
        summary="List API keys", tag=KEYS, is_list=True, query=key_schemas.ListKeys, answer=answers.Key
    ),
    "keys.get_key": Operation(
        summary="Get an API key",
        tag=KEYS,
        answer=answers.Key,
        description="`lastUsedAt` may lag by half a minute.",
    ),
    "keys.revoke_key": Operation(
        summary="Revoke an API key",
        tag=KEYS,
        answer=answers.Key,
        description="It stops working within a second, for good.",
    ),
    "keys.rotate_key": Operation(
        summary="Rotate an API key",
        tag=KEYS,
        status=201,
        body=key_schemas.RotateKey,
        answer=answers.RotatedKey,
        example={"overlapSeconds": 86400},
        problems=(errors.ScopeNotHeld, errors.KeyNotActive),
        description="Makes a key like it, which ends no later than the calling one; the old one works on for"
        " `overlapSeconds`.",
    ),
    "channels.create_channel": Operation(
        summary="Connect a messenger",
        tag=CHANNELS,
        status=201,
        body=channels.CreateChannel,
        answer=answers.NewChannel,
        example={"name": "whatsapp", "baseUrl": "https://wuzapi.example.com", "token": "user-token"},
        problems=(errors.ChannelNameTaken, errors.NotConfigured),
        follows=_CHANNEL,
    ),
    "channels.list_channels": Operation(summary="List channels", tag=CHANNELS, is_list=True, answer=answers.Channel),
    "channels.get_channel": Operation(summary="Get a channel", tag=CHANNELS, answer=answers.Channel),
    "channels.change_channel": Operation(
        summary="Change a channel",
        tag=CHANNELS,
        body=channels.ChangeChannel,
        answer=answers.Channel,
        example={"enabled": False},
        problems=(errors.NotConfigured,),
    ),
    "channels.delete_channel": Operation(
        summary="Delete a channel", tag=CHANNELS, status=204, answer=None, description="Its conversations stay."
    ),
}
