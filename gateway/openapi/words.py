"""What fields and parameters are that several schemas have in common; what one schema has, it describes itself.

A field's words are looked up under its model first, then under its family, then under its name alone. A test fails for
a property of the document that none of them describes.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Words = dict[str, str]

ANYWHERE: Words = {
    "attachmentIds": "Files to send along: up to ten ids of uploads that were confirmed.",
    "attachments": "The files that go with it.",
    "channel": "Where the conversation takes place: `api`, or the name of one of your channels.",
    "clientMessageId": "Your own id of the message, unique in its conversation: sending it again changes nothing.",
    "contactJid": "The contact's address: an e-mail address, a WhatsApp id, or any other text of yours.",
    "contactName": "What people call the contact.",
    "content": "The text, as it was written. It is not HTML: escape it, or ask for `contentHtml`.",
    "contentType": "The media type, such as `image/png`; told from the bytes once they are there.",
    "conversationId": "The conversation's id.",
    "conversationSeq": "The event's place in its conversation: ascending, without gaps.",
    "createdAt": "When it was made.",
    "data": "What happened, or what it happened to, as it is now.",
    "description": "A note of your own.",
    "detail": "What is wrong and what to do about it, for people.",
    "direction": "`incoming` from the contact, `outgoing` to it.",
    "eventId": "Names the event; the same in every delivery of it, so that a repeat can be dropped.",
    "fileName": "The name of the file, without a path.",
    "id": "Its id; never used again.",
    "joinedAt": "When they were let in.",
    "lastError": "What the latest failure was; null when there was none.",
    "lastReadSeq": "Up to here this participant has read.",
    "messageType": "Of what kind the message is.",
    "metadata": "A JSON object of yours, at most 4 KB; kept and told as it is.",
    "name": "What people call it.",
    "providerMessageId": "The messenger's own id of the message, once it has one.",
    "reason": "Why, in a sentence.",
    "replyToId": "The message that this one answers, of the same conversation.",
    "role": "What they are in the conversation: `owner`, `agent`, `client` or `supervisor`.",
    "seq": "Number of the event in its conversation, without gaps.",
    "senderId": "Who wrote it, in words of yours; null when nobody said.",
    "sizeBytes": "How many bytes the file has.",
    "type": "The event's type.",
    "types": "Only these types, `family.*` or `*`; all when it is empty.",
    "updatedAt": "When it last changed.",
    "userId": "A user of the project, whom your account may name.",
    "version": "Counts the edits: 1 as first written.",
    "webhookId": "The webhook's id.",
}

MESSAGE: Words = {
    "deletedAt": "When its words were taken away; null while it stands.",
    "editedAt": "When it was last edited; null when it never was.",
    "messageSeq": "The message's own place; below zero for imported history.",
    "status": "How far it has come: pending, sent, delivered, read; or failed.",
}
CONVERSATION: Words = {
    "assignedAgentId": "The person who is to answer; null for nobody.",
    "assignedBotId": "The bot that is to answer; null for none.",
    "firstSeq": "Imported history goes down to this number.",
    "lastMessageAt": "When the newest message was written; null without any.",
    "lastMessagePreview": "The newest message's first 100 characters, or `[image]` and the like.",
    "readSeq": "Up to here somebody on the account's side has read.",
    "snoozedUntil": "When a snoozed conversation opens by itself; null for when somebody wakes it.",
    "status": "Whether it is open, pending, resolved or snoozed.",
    "unreadCount": "How many incoming messages nobody on the account's side has read.",
}
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
    **dict.fromkeys(("Message", "FoundMessage", "MessageEventData", "SendMessage"), MESSAGE),
    **dict.fromkeys(("Conversation", "ListedConversation", "ConversationEventData", "PatchConversation"), CONVERSATION),
    **dict.fromkeys(("Channel", "NewChannel", "CreateChannel", "ChangeChannel"), CHANNEL),
    "ChangeStatus": {
        "status": "Forward only: pending, sent, delivered, read; `failed` before anything was delivered.",
        "providerMessageId": "The messenger's own id of the message, if it was not said before.",
    },
    "CreateConversation": CONVERSATION | {"participants": "Who takes part, beside the account's own user."},
    "CreateRealtimeSession": {"conversationIds": "Those that the client shows, up to 100; left out, its latest ones."},
    "EditMessage": {"metadata": "Takes the place of the old one; left out, that stays."},
    "EndpointEventData": {
        "webhookId": "The endpoint that it is about.",
        "url": "Where that endpoint's events go.",
        "at": "When it was noticed.",
    },
    "Imported": {"results": "One for each message, in the order in which they were sent."},
    "ImportMessage": MESSAGE | {"clientMessageId": "Your own id of it: what makes a repeat harmless."},
    "ImportMessages": {"messages": "Up to 500, each an [ImportMessage](/docs/schemas#ImportMessage)."},
    "Problem": {"errors": "Each faulty field or parameter."},
    "ProviderReason": {
        "source": "What decided: a pinned setting, the stage, an override, the bucket or your own flag provider.",
        "percentage": "How many of the users are told Supabase; null without a rollout.",
    },
    "Recover": {"until": "Before this moment, 31 days later at most; left out, now."},
    "RotateSecret": {"overlapSeconds": "How long the secrets before it sign along."},
    "WebhookEventData": {"message": "A greeting."},
}

PARAMETERS: Words = {
    "attachment_id": "The id that announcing the file answered.",
    "channel": "Only conversations of this channel.",
    "channel_id": "The channel's id.",
    "conversation_id": "The conversation's id.",
    "conversationId": "Only messages of this conversation.",
    "delivery_id": "The delivery's id.",
    "key_id": "The key's id, not its text.",
    "limit": "How many to answer at most.",
    "message_id": "The message's id.",
    "outcome": "Only attempts that ended so.",
    "secret_id": "The secret's id.",
    "since": "Not older than this moment.",
    "state": "Only deliveries that stand so.",
    "status": "Only conversations of this status.",
    "type": "Only of this type of event.",
    "unread": "Only with unread messages, or only without.",
    "until": "Older than this moment.",
    "user_id": "The participant's id.",
    "webhook_id": "The webhook's id.",
}


def describe(name: str, schema: dict[str, Any]) -> None:
    """Give every property of a component, and of the objects inside it, the words that it lacks."""
    words = ANYWHERE | (EVENT if name.endswith("Event") else {}) | MODELS.get(name, {})
    for field, kind in _properties(schema):
        if not said(kind) and field in words:
            kind["description"] = words[field]


def said(schema: Mapping[str, Any]) -> str:
    """Return a property's own words, which may stand beside its kind or inside of it."""
    kinds = schema.get("anyOf", [])
    return str(schema.get("description") or next((kind["description"] for kind in kinds if "description" in kind), ""))


def _properties(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for field, kind in schema.get("properties", {}).items():
        yield field, kind
        yield from _properties(kind)
        yield from _properties(kind.get("items", {}))
