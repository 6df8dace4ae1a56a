"""Descriptions of fields and parameters that several schemas share. What one schema has, it describes itself.

A field's words are looked up under its model first, then under its family, then under its name alone. A test fails for
a property of the document that none of them describes.
"""

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from gateway.shapes.chat import Attachment, ConversationFields, Message, Participant

Words = dict[str, str]


def words_of(model: type[BaseModel]) -> Words:
    """Return what the model's fields say of themselves, for those of a request that bear the same names."""
    fields = model.model_fields.items()
    return {field.alias or name: field.description for name, field in fields if field.description}


ANYWHERE: Words = {
    "attachmentIds": "Files to send along: up to ten ids of uploads that were confirmed.",
    "conversationId": "The conversation's id.",
    "createdAt": "When it was made.",
    "data": "What happened, or what it happened to, as it is now.",
    "eventId": "Names the event; the same in every delivery of it, so that a repeat can be dropped.",
    "id": "Its id; never used again.",
    "types": "Only these types, `family.*` or `*`; all when it is empty.",
    "updatedAt": "When it last changed.",
    "webhookId": "The webhook's id.",
}

CONVERSATION = words_of(ConversationFields)
MESSAGE = words_of(Message)
ROLE = {"role": words_of(Participant)["role"]}
CHANNEL: Words = {
    "baseUrl": "Where the WUZAPI server is; one that the operator allows.",
    "enabled": "False: nothing is sent, and what comes in is refused.",
    "hmacKey": "What the messenger signs its webhooks with, at least 32 characters; left out, we make one.",
    "kind": "Which messenger it is: `wuzapi`, for WhatsApp.",
    "name": "Its name, which its conversations have as `channel`.",
    "providerUserId": "The messenger's own id of the connected account; events of another one are refused.",
    "token": "The messenger's token for sending; stored sealed, never shown.",
}
EVENT: Words = {"type": "What happened."}

# A family's words serve all of its models. Alone stands what comes without a model, or would not fit beside its field.
MODELS: Mapping[str, Words] = {
    "SendMessage": MESSAGE,
    "PatchConversation": CONVERSATION,
    **dict.fromkeys(("ParticipantBody", "PutParticipant"), ROLE),
    "CreateAttachment": words_of(Attachment),
    **dict.fromkeys(("Channel", "NewChannel", "CreateChannel", "ChangeChannel"), CHANNEL),
    "ChangeStatus": {
        "status": "Forward only: pending, sent, delivered, read; `failed` before anything was delivered.",
        "providerMessageId": "The messenger's own id of the message, if it was not said before.",
    },
    "CreateConversation": CONVERSATION | {"participants": "Who takes part, beside the account's own user."},
    "CreateRealtimeSession": {"conversationIds": "Those that the client shows, up to 100; left out, its latest ones."},
    "EditMessage": MESSAGE | {"metadata": "Takes the place of the old one; left out, that stays."},
    "Imported": {"results": "One for each message, in the order in which they were sent."},
    "ImportMessage": MESSAGE | {"clientMessageId": "Your own id of it: what makes a repeat harmless."},
    "ImportMessages": {"messages": "Up to 500, each an [ImportMessage](/docs/schemas#ImportMessage)."},
    "ProviderReason": {
        "source": "What decided: a pinned setting, the stage, an override, the bucket or your own flag provider.",
        "percentage": "How many of the users are told Supabase; null without a rollout.",
    },
    "Recover": {"until": "Before this moment, 31 days later at most; left out, now."},
    "RotateSecret": {"overlapSeconds": "How long the secrets before it sign along."},
}

PARAMETERS: Words = {
    "attachment_id": "The id that announcing the file answered.",
    "channel_id": "The channel's id.",
    "conversation_id": "The conversation's id.",
    "delivery_id": "The delivery's id.",
    "key_id": "The key's id, not its text.",
    "message_id": "The message's id.",
    "secret_id": "The secret's id.",
    "user_id": "The participant's id.",
    "webhook_id": "The webhook's id.",
}


def described(components: dict[str, Any]) -> dict[str, Any]:
    """Return a copy in which every property, also of the objects inside, has the words that it lacks.

    What it is when it is left out becomes words, too: generators of clients take what has a `default` for required.
    """
    components = copy.deepcopy(components)
    for name, schema in components.items():
        words = ANYWHERE | (EVENT if name.endswith("Event") else {}) | MODELS.get(name, {})
        for field, kind in _properties(schema):
            if not said(kind) and field in words:
                kind["description"] = words[field]
            if (default := kind.pop("default", None)) is not None:
                shown = default if isinstance(default, str) else json.dumps(default)
                kind["description"] = f"{said(kind)} Left out: `{shown}`."
    return components


def said(schema: Mapping[str, Any]) -> str:
    """Return a property's own words, which may stand beside its kind or inside of it."""
    kinds = schema.get("anyOf", [])
    return str(schema.get("description") or next((kind["description"] for kind in kinds if "description" in kind), ""))


def _properties(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for field, kind in schema.get("properties", {}).items():
        yield field, kind
        yield from _properties(kind)
        yield from _properties(kind.get("items", {}))
