"""What each field and parameter is, in one sentence, where its schema does not say so itself.

A field's words are looked up under its model first, then under its family, then under its name alone. A test fails for
a property of the document that none of them describes.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Words = dict[str, str]

ANYWHERE: Words = {
    "attachmentIds": "Files to send along: up to ten ids of uploads that were confirmed.",
    "attachments": "The files that go with it.",
    "baseUrl": "Where the messenger's server is; one that the operator allows.",
    "channel": "Where the conversation takes place: `api`, or the name of one of your channels.",
    "clientMessageId": "Your own id of the message, unique in its conversation: sending it again changes nothing.",
    "code": "A word that never changes; see `/docs/problems`.",
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
    "eventTypes": "Which events are sent: types, `family.*` or `*`.",
    "expiresAt": "When it stops working; null for never.",
    "fileName": "The name of the file, without a path.",
    "headers": "Header names and their values.",
    "id": "Its id; never used again.",
    "isTyping": "False when they have stopped.",
    "joinedAt": "When they were let in.",
    "kind": "Which messenger it is.",
    "lastError": "What the latest failure was; null when there was none.",
    "lastErrorAt": "When that was.",
    "lastReadSeq": "Up to here this participant has read.",
    "limit": "How many to answer at most.",
    "messageType": "Of what kind the message is.",
    "metadata": "A JSON object of yours, at most 4 KB; kept and told as it is.",
    "name": "What people call it.",
    "participants": "Who takes part.",
    "provider": "The side to connect to.",
    "providerMessageId": "The messenger's own id of the message, once it has one.",
    "reason": "Why, in a sentence.",
    "replyToId": "The message that this one answers, of the same conversation.",
    "role": "What they are in the conversation: `owner`, `agent`, `client` or `supervisor`.",
    "seq": "Number of the event in its conversation, without gaps.",
    "senderId": "Who wrote it, in words of yours; null when nobody said.",
    "since": "From this moment on.",
    "sizeBytes": "How many bytes the file has.",
    "status": "How far it has come.",
    "type": "The event's type.",
    "types": "Only these types, `family.*` or `*`; all when it is empty.",
    "until": "Before this moment; now when it is left out.",
    "updatedAt": "When it last changed.",
    "url": "The address.",
    "userId": "A user of the project, whom your account may name.",
    "username": "A name to show beside the sign.",
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
FILE: Words = {
    "download": "Where to get it, for a short time; null until it is `ready`.",
    "messageId": "The message that it was sent with; null before.",
    "state": "`pending` until confirmed, then `ready`, or `rejected` when the bytes are not what was announced.",
    "upload": "Where and how to put the bytes.",
}
KEY: Words = {
    "id": "Its id: not secret, and what revoke and rotate take.",
    "lastUsedAt": "When it was last used, half a minute late at most; null for never.",
    "prefix": "How the key begins: enough to tell keys apart, not to use one.",
    "rateLimit": "Requests a minute; null for the deployment's default.",
    "replacedBy": "The id of the key that it was rotated to.",
    "replaces": "The key that was rotated, with the time until which it still works.",
    "revokedAt": "When it was revoked; null while it was not.",
    "scopes": "What it may do.",
    "sendRateLimit": "Messages a minute; null for the deployment's default.",
    "state": "Whether it works now.",
}
CHANNEL: Words = {
    "baseUrl": "Where the WUZAPI server is; one that the operator allows.",
    "consecutiveFailures": "How many sends have failed in a row.",
    "enabled": "False: nothing is sent, and what comes in is refused.",
    "hmacKey": "What the messenger signs its webhooks with, at least 32 characters; left out, we make one.",
    "kind": "Which messenger it is: `wuzapi`, for WhatsApp.",
    "name": "Its name, which its conversations have as `channel`.",
    "providerUserId": "The messenger's own id of the connected account; events of another one are refused.",
    "token": "The messenger's token for sending; stored sealed, never shown.",
    "webhookPath": "Where the messenger sends its events to, on this gateway.",
}
WEBHOOK: Words = {
    "compatibilitySignature": "Whether requests also have `X-Signature: sha256=…`, of the body alone.",
    "consecutiveFailures": "How many requests have failed in a row.",
    "disabledAt": "When it was disabled; null while it is not.",
    "disabledReason": "Why it was disabled.",
    "failingSince": "Since when every request has failed; null when the latest did not.",
    "fifo": "Whether each conversation is sent in order: a failing request holds back those after it.",
    "health": "How its receiver does: healthy, degraded or disabled.",
    "lastFailureAt": "When a request last failed.",
    "lastSuccessAt": "When a request was last taken.",
    "maxInFlight": "Requests at a time.",
    "maxPerSecond": "Requests a second; null for as many as come.",
    "paused": "Whether deliveries are kept back.",
    "url": "Where events are sent to.",
}
DELIVERY: Words = {
    "attempts": "How often it was tried.",
    "conversationId": "The conversation of the event; null for what belongs to none.",
    "eventAt": "When the event was committed.",
    "nextAttemptAt": "When it is tried next; null when it will not be.",
    "settledAt": "When it was delivered or given up; null before.",
    "state": "Where it stands: `open` while it is to be tried, then delivered or failed.",
}
ATTEMPT: Words = {
    "deliveryId": "The delivery that was tried.",
    "error": "What went wrong, in words; null for an answer.",
    "number": "The how-manieth attempt of its delivery it was, from 1.",
    "outcome": "How it ended.",
    "replay": "Whether somebody had asked for it again.",
    "response": "What the receiver answered; null when nothing came.",
    "secretIds": "The secrets that signed it.",
    "startedAt": "When it began.",
    "status": "The HTTP status of the answer; null when none came.",
    "timing": "How long each part took.",
}
EVENT: Words = {"type": "What happened."}

# Models and components with words of their own; a family's words serve all of its models.
MODELS: Mapping[str, Words] = {
    **dict.fromkeys(("Message", "FoundMessage", "MessageEventData", "SendMessage"), MESSAGE),
    **dict.fromkeys(("Conversation", "ListedConversation", "ConversationEventData", "PatchConversation"), CONVERSATION),
    **dict.fromkeys(("Attachment", "AttachmentState", "NewAttachment", "ShownAttachment", "CreateAttachment"), FILE),
    **dict.fromkeys(("Key", "NewKey", "RotatedKey", "CreateKey"), KEY),
    **dict.fromkeys(("Channel", "NewChannel", "CreateChannel", "ChangeChannel"), CHANNEL),
    **dict.fromkeys(("Webhook", "NewWebhook", "CreateWebhook", "ChangeWebhook"), WEBHOOK),
    **dict.fromkeys(("Delivery", "DeliveryWithAttempts"), DELIVERY),
    "Attempt": ATTEMPT,
    "AssignConversation": {
        "agentId": "A person, by id; null for nobody.",
        "botId": "A bot, in words of yours; null for none.",
    },
    "AttemptAnswer": {"headers": "The headers of the answer."},
    "AttemptTiming": {
        "dnsMs": "Looking up the name; null when it was known or not needed.",
        "connectMs": "Connecting, with TLS; null on a connection that was open.",
        "firstByteMs": "From the request to the first byte of the answer.",
        "totalMs": "All of it.",
    },
    "ChangeStatus": {
        "status": "Forward only: pending, sent, delivered, read; `failed` before anything was delivered.",
        "providerMessageId": "The messenger's own id of the message, if it was not said before.",
    },
    "CreateConversation": CONVERSATION | {"participants": "Who takes part, beside the account's own user."},
    "CreateRealtimeSession": {
        "userId": "The signed-in user whom the session is for.",
        "conversationIds": "Those that the client shows, up to 100; left out, its latest ones.",
    },
    "Download": {"url": "Where to GET the file, without a key.", "expiresAt": "When that address stops working."},
    "EditMessage": {"metadata": "Takes the place of the old one; left out, that stays."},
    "EndpointEventData": {
        "webhookId": "The endpoint that it is about.",
        "url": "Where that endpoint's events go.",
        "at": "When it was noticed.",
    },
    "EventKind": {"type": "The event's type.", "description": "When it is sent."},
    "FieldFault": {"code": "What kind of fault it is.", "detail": "What to send instead."},
    "Imported": {
        "imported": "How many are new.",
        "duplicate": "How many were there already.",
        "invalid": "How many were refused.",
        "results": "One for each message, in the order in which they were sent.",
    },
    "ImportedItem": {
        "index": "Which of the sent messages it is about, from 0.",
        "status": "What became of it.",
        "id": "The message's id.",
        "code": "What is wrong with it.",
        "pointer": "Where, as a JSON Pointer into the message.",
    },
    "ImportMessage": MESSAGE
    | {
        "createdAt": "When it was written, elsewhere.",
        "clientMessageId": "Your own id of it: what makes a repeat harmless.",
    },
    "ImportMessages": {
        "messages": "Up to 500, each an [ImportMessage](/docs/schemas#ImportMessage).",
        "announce": "Whether subscribers are told of each, as of a new message.",
    },
    "MarkRead": {"seq": "Read up to here.", "userId": "Who has read; left out, the account's own user."},
    "MessageVersion": {
        "content": "What it said.",
        "replacedAt": "When it no longer said so.",
        "replacedBy": "What came in its place.",
        "version": "Which version it was.",
    },
    "NewWebhookSecret": {"createdAt": "Since when it signs."},
    "Pagination": {
        "page": "The page's number, where pages are counted; else null.",
        "limit": "How many were asked for.",
        "hasMore": "Whether there is more.",
        "nextCursor": "What to send for the next page; null at the end.",
    },
    "Participant": {"userId": "The participant."},
    "Present": {"userId": "Who is connected.", "sides": "Over which sides: legacy sockets, Supabase, or both."},
    "Problem": {
        "type": "A path that explains the code, on this gateway.",
        "title": "What the code means, in a few words.",
        "status": "The HTTP status.",
        "requestId": "Names the request in our log.",
        "errors": "Each faulty field or parameter.",
    },
    "ProviderReason": {
        "source": "What decided: a pinned setting, the stage, an override, the bucket or your own flag provider.",
        "stage": "Where the dial stands; null without a rollout.",
        "percentage": "How many of the users are told Supabase; null without a rollout.",
    },
    "RealtimeSession": {
        "reason": "Why this provider.",
        "userId": "Whose session it is.",
        "expiresAt": "When the token ends.",
    },
    "Recover": {"since": "From this moment on.", "until": "Before this moment, 31 days later at most; left out, now."},
    "RotateSecret": {"overlapSeconds": "How long the secrets before it sign along."},
    "SendTest": {"type": "Of which type the example is."},
    "Standby": {"provider": "The side it is on.", "path": "Of Socket.IO."},
    "Typing": {"userId": "Who types; left out, the account's own user."},
    "Upload": {
        "method": "How to send the bytes.",
        "url": "Where to; it is the permission, and needs no key.",
        "headers": "What to send with them.",
        "expiresAt": "When that address stops working.",
    },
    "WebhookEventData": {"message": "A greeting."},
    "WebhookNotice": {
        "type": "What was noticed.",
        "reason": "Why, in a sentence.",
        "createdAt": "When it was noticed.",
    },
    "WebhookSecret": {"createdAt": "Since when it signs."},
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
