"""Webhooks, their secrets and what became of their deliveries, described."""

from gateway import errors
from gateway.openapi.operations import webhook_answers as answers
from gateway.openapi.operations.operation import Operation, from_body
from gateway.v1.schemas import webhooks as bodies

TAG = "Webhooks"
LOG = "Webhook deliveries"
_MADE = {
    f"webhooks.{name}": from_body(webhook_id="id")
    for name in (
        "get_webhook",
        "change_webhook",
        "delete_webhook",
        "pause_webhook",
        "resume_webhook",
        "enable_webhook",
        "ping_webhook",
        "test_webhook",
        "rotate_secret",
        "list_secrets",
        "list_deliveries",
        "list_attempts",
        "export_attempts",
        "list_notices",
        "recover_webhook",
        "retry_webhook",
    )
}
_QUEUED = {
    "webhooks.get_delivery": from_body(webhook_id="webhookId", delivery_id="id"),
    "webhooks.replay_delivery": from_body(webhook_id="webhookId", delivery_id="id"),
    "webhooks.retry_delivery": from_body(webhook_id="webhookId", delivery_id="id"),
}
_NEW_SECRET = {"webhook_id": "$request.path.webhook_id", "secret_id": "$response.body#/data/id"}

OPERATIONS = {
    "webhooks.create_webhook": Operation(
        summary="Make a webhook",
        tag=TAG,
        status=201,
        body=bodies.CreateWebhook,
        answer=answers.NewWebhook,
        example={"url": "https://example.com/hooks", "eventTypes": ["message.*"]},
        problems=(errors.TooManyWebhooks, errors.WebhooksNotConfigured),
        follows=_MADE,
        description="From now on every event of these types is sent to the URL, signed, at least once; a"
        " `webhook.ping` goes first. The secret is in this answer only. What is sent: see"
        " [Events and webhooks](/docs/events).",
    ),
    "webhooks.list_webhooks": Operation(summary="List webhooks", tag=TAG, is_list=True, answer=answers.Webhook),
    "webhooks.list_event_types": Operation(
        summary="List event types",
        tag=TAG,
        is_list=True,
        answer=answers.EventKind,
        description="Each with the JSON Schema of its request and an example.",
    ),
    "webhooks.get_webhook": Operation(
        summary="Get a webhook", tag=TAG, answer=answers.Webhook, description="With its health and its last error."
    ),
    "webhooks.change_webhook": Operation(
        summary="Change a webhook",
        tag=TAG,
        body=bodies.ChangeWebhook,
        answer=answers.Webhook,
        example={"maxInFlight": 3, "description": None},
        problems=(errors.WebhooksNotConfigured,),
        description="What is left out stays; `headers` are replaced as a whole.",
    ),
    "webhooks.delete_webhook": Operation(
        summary="Delete a webhook", tag=TAG, status=204, answer=None, description="What waits for it is not sent."
    ),
    "webhooks.pause_webhook": Operation(
        summary="Keep deliveries back", tag=TAG, answer=answers.Webhook, description="They are kept for later."
    ),
    "webhooks.resume_webhook": Operation(
        summary="Let kept deliveries go", tag=TAG, answer=answers.Webhook, description="The oldest first."
    ),
    "webhooks.enable_webhook": Operation(
        summary="Enable a disabled webhook",
        tag=TAG,
        answer=answers.Webhook,
        problems=(errors.EnabledTooSoon,),
        description="Once in five minutes. What was missed meanwhile is delivered by `POST …/recover`.",
    ),
    "webhooks.ping_webhook": Operation(
        summary="Send a ping",
        tag=TAG,
        status=202,
        answer=answers.Delivery,
        problems=(errors.WebhookDisabled,),
        follows=_QUEUED,
    ),
    "webhooks.test_webhook": Operation(
        summary="Send an example event",
        tag=TAG,
        status=202,
        body=bodies.SendTest,
        answer=answers.Delivery,
        example={"type": "message.new"},
        problems=(errors.WebhookDisabled,),
        follows=_QUEUED,
        description="Of any type, whatever the webhook subscribes to.",
    ),
    "webhooks.list_notices": Operation(
        summary="List what its owner should know",
        tag=TAG,
        is_list=True,
        answer=answers.WebhookNotice,
        description="Degraded, failing, disabled, recovered: the latest 100, newest first.",
    ),
    "webhooks.rotate_secret": Operation(
        summary="Add a secret",
        tag=TAG,
        status=201,
        body=bodies.RotateSecret,
        answer=answers.NewWebhookSecret,
        example={"overlapSeconds": 86400},
        problems=(errors.TooManySecrets, errors.WebhooksNotConfigured),
        follows={"webhooks.delete_secret": _NEW_SECRET},
        description="Those before it sign along for `overlapSeconds`: time to tell the receiver.",
    ),
    "webhooks.list_secrets": Operation(
        summary="List secrets",
        tag=TAG,
        is_list=True,
        answer=answers.WebhookSecret,
        description="Those that sign, newest first; never their text.",
    ),
    "webhooks.delete_secret": Operation(
        summary="Delete a secret",
        tag=TAG,
        status=204,
        answer=None,
        problems=(errors.LastSecret,),
        description="It signs no more, at once.",
    ),
    "webhooks.list_deliveries": Operation(
        summary="List deliveries",
        tag=LOG,
        is_list=True,
        query=bodies.ListDeliveries,
        answer=answers.Delivery,
        description="Newest first. An event that is sent to a webhook is one delivery, however often it is tried.",
    ),
    "webhooks.get_delivery": Operation(
        summary="Get a delivery", tag=LOG, answer=answers.DeliveryWithAttempts, description="With its attempts."
    ),
    "webhooks.replay_delivery": Operation(
        summary="Send a delivery again",
        tag=LOG,
        status=202,
        answer=answers.DeliveryWithAttempts,
        problems=(errors.WebhookDisabled,),
        description="Under the same `webhook-id`. One that is still open is on its way already and stays as it is.",
    ),
    "webhooks.retry_delivery": Operation(
        summary="Retry a delivery now",
        tag=LOG,
        status=202,
        answer=answers.DeliveryWithAttempts,
        problems=(errors.WebhookDisabled, errors.AlreadyDelivered),
        description="One that waits for its next attempt is due at once, and the webhook's rest after failures is over;"
        " the attempts that were made still count. Of a `fifo` webhook what is older in its conversation is due, too,"
        " and goes first. One that has failed for good is tried once more. Asking again changes nothing; a paused"
        " webhook stays paused.",
    ),
    "webhooks.list_attempts": Operation(
        summary="List attempts",
        tag=LOG,
        is_list=True,
        query=bodies.ListAttempts,
        answer=answers.Attempt,
        description="Every request that was made, with status, timing, error and answer; newest first.",
    ),
    "webhooks.export_attempts": Operation(
        summary="Export attempts",
        tag=LOG,
        query=bodies.FilterAttempts,
        answer=answers.Attempt,
        as_lines=True,
        description="All that match, one JSON object a line, newest first.",
    ),
    "webhooks.recover_webhook": Operation(
        summary="Deliver what was missed",
        tag=LOG,
        status=202,
        body=bodies.Recover,
        answer=answers.Recovered,
        example={"since": "2026-11-20T10:00:00Z", "until": "2026-11-20T12:00:00Z"},
        problems=(errors.WebhookDisabled,),
        description="Events of a range that failed, or that nobody was told of because the webhook was disabled, from"
        " the time on when it was made. What was delivered is not sent again.",
    ),
    "webhooks.retry_webhook": Operation(
        summary="Retry now",
        tag=LOG,
        status=202,
        answer=answers.Retried,
        problems=(errors.WebhookDisabled,),
        description="Everything that waits for its next attempt is due at once, and a rest after failures is over: for"
        " a receiver that is well again. The attempts that were made still count; a paused webhook stays paused.",
    ),
}
