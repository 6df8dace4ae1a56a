"""`/webhooks`: parse, call the service, render. Every route needs the scope `webhooks:manage`.

A secret is shown once, in the answer that made it.
"""

import json
from collections.abc import Sequence
from functools import partial
from uuid import UUID

from flask import Response

from gateway.database import Database
from gateway.domain.conflicts import EnabledTooSoon, LastSecret, TooManySecrets, TooManyWebhooks, WebhookDisabled
from gateway.domain.keys import Scope
from gateway.errors import WebhooksNotConfigured
from gateway.http import rendering
from gateway.http.routes import Route
from gateway.services import webhooks as service
from gateway.services.webhooks import Sealing
from gateway.shapes import catalogue
from gateway.v1.paths import WEBHOOK, WEBHOOKS
from gateway.v1.schemas import webhook_answers as answers
from gateway.v1.schemas.webhooks import ChangeWebhook, CreateWebhook, RotateSecret, SendTest

SECRETS = f"{WEBHOOK}/secrets"


def create_webhook(database: Database, sealing: Sealing, account_id: UUID, body: CreateWebhook) -> Response:
    """Make a webhook. From now on every event of these types is sent to the URL, signed, at least once; a
    `webhook.ping` goes first. The secret is in this answer only. What is sent: see [Events and webhooks](/docs/events).
    """
    webhook_id, shown, secret = service.create_webhook(database, sealing, account_id, body.named(), body.secret)
    return rendering.one(_with_secret(shown, secret), {"Location": f"{WEBHOOKS}/{webhook_id}"})


def list_webhooks(database: Database, account_id: UUID) -> Response:
    """List webhooks."""
    return _all(service.list_webhooks(database, account_id))


def list_event_types() -> Response:
    """List event types. Each with the JSON Schema of its request and an example."""
    return _all([rendering.shown(kind, answers.EventKind, json_schema=kind.schema) for kind in catalogue.KINDS])


def get_webhook(database: Database, account_id: UUID, webhook_id: int) -> Response:
    """Get a webhook. With its health and its last error."""
    return rendering.one(service.get_webhook(database, account_id, webhook_id))


def change_webhook(
    database: Database, sealing: Sealing, account_id: UUID, webhook_id: int, body: ChangeWebhook
) -> Response:
    """Change a webhook. What is left out stays; `headers` are replaced as a whole."""
    return rendering.one(service.change_webhook(database, sealing, account_id, webhook_id, body.named()))


def delete_webhook(database: Database, account_id: UUID, webhook_id: int) -> Response:
    """Delete a webhook. What waits for it is not sent."""
    service.delete_webhook(database, account_id, webhook_id)
    return Response(status=204)


def pause_webhook(database: Database, account_id: UUID, webhook_id: int) -> Response:
    """Keep deliveries back. They are kept for later."""
    return rendering.one(service.pause(database, account_id, webhook_id, paused=True))


def resume_webhook(database: Database, account_id: UUID, webhook_id: int) -> Response:
    """Let kept deliveries go. The oldest first."""
    return rendering.one(service.pause(database, account_id, webhook_id, paused=False))


def enable_webhook(database: Database, account_id: UUID, webhook_id: int) -> Response:
    """Enable a disabled webhook. Once in five minutes. What was missed meanwhile is delivered by `POST …/recover`."""
    return rendering.one(service.enable(database, account_id, webhook_id))


def ping_webhook(database: Database, account_id: UUID, webhook_id: int) -> Response:
    """Send a ping."""
    return rendering.one(service.ping(database, account_id, webhook_id))


def test_webhook(database: Database, account_id: UUID, webhook_id: int, body: SendTest) -> Response:
    """Send an example event. Of any type, whatever the webhook subscribes to."""
    wants_html = rendering.wants_html()
    return rendering.one(service.send_test(database, account_id, webhook_id, body.type, wants_html=wants_html))


def list_notices(database: Database, account_id: UUID, webhook_id: int) -> Response:
    """List what its owner should know. Degraded, failing, disabled, recovered: the latest 100, newest first."""
    return _all(service.list_notices(database, account_id, webhook_id))


def rotate_secret(
    database: Database, sealing: Sealing, account_id: UUID, webhook_id: int, body: RotateSecret
) -> Response:
    """Add a secret. Those before it sign along for `overlapSeconds`: time to tell the receiver."""
    made = service.rotate_secret(database, sealing, account_id, webhook_id, body.secret, body.overlap_seconds)
    return rendering.one(_with_secret(*made))


def list_secrets(database: Database, account_id: UUID, webhook_id: int) -> Response:
    """List secrets. Those that sign, newest first; never their text."""
    return _all(service.list_secrets(database, account_id, webhook_id))


def delete_secret(database: Database, account_id: UUID, webhook_id: int, secret_id: int) -> Response:
    """Delete a secret. It signs no more, at once."""
    service.delete_secret(database, account_id, webhook_id, secret_id)
    return Response(status=204)


_route = partial(Route, area="webhooks", tag="Webhooks", own_scope=Scope.WEBHOOKS)
_queued = partial(
    _route,
    status=202,
    answer=answers.Delivery,
    problems=(WebhookDisabled,),
    follows={"webhook_id": "webhookId", "delivery_id": "id"},
)
ROUTES = (
    _route(
        "POST",
        WEBHOOKS,
        create_webhook,
        status=201,
        answer=answers.NewWebhook,
        example={"url": "https://example.com/hooks", "eventTypes": ["message.*"]},
        problems=(TooManyWebhooks, WebhooksNotConfigured),
        follows={"webhook_id": "id"},
    ),
    _route("GET", WEBHOOKS, list_webhooks, is_list=True, answer=answers.Webhook),
    _route("GET", f"{WEBHOOKS}/event-types", list_event_types, is_list=True, answer=answers.EventKind),
    _route("GET", WEBHOOK, get_webhook, answer=answers.Webhook),
    _route(
        "PATCH",
        WEBHOOK,
        change_webhook,
        answer=answers.Webhook,
        example={"maxInFlight": 3, "description": None},
        problems=(WebhooksNotConfigured,),
    ),
    _route("DELETE", WEBHOOK, delete_webhook, status=204),
    _route("POST", f"{WEBHOOK}/pause", pause_webhook, answer=answers.Webhook),
    _route("POST", f"{WEBHOOK}/resume", resume_webhook, answer=answers.Webhook),
    _route("POST", f"{WEBHOOK}/enable", enable_webhook, answer=answers.Webhook, problems=(EnabledTooSoon,)),
    _queued("POST", f"{WEBHOOK}/ping", ping_webhook),
    _queued("POST", f"{WEBHOOK}/test", test_webhook, example={"type": "message.new"}),
    _route("GET", f"{WEBHOOK}/notices", list_notices, is_list=True, answer=answers.WebhookNotice),
    _route(
        "POST",
        SECRETS,
        rotate_secret,
        status=201,
        answer=answers.NewWebhookSecret,
        example={"overlapSeconds": 86400},
        problems=(TooManySecrets, WebhooksNotConfigured),
        follows={"webhook_id": "$request.path.webhook_id", "secret_id": "id"},
    ),
    _route("GET", SECRETS, list_secrets, is_list=True, answer=answers.WebhookSecret),
    _route("DELETE", f"{SECRETS}/<row_id:secret_id>", delete_secret, status=204, problems=(LastSecret,)),
)


def _all(items: Sequence[rendering.Said]) -> Response:
    """A short list, whole."""
    return rendering.many(items, page=1, limit=max(len(items), 1), total=len(items))


def _with_secret(representation: str, secret: str) -> str:
    return json.dumps(json.loads(representation) | {"secret": secret}, ensure_ascii=False)
