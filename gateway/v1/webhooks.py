"""`/webhooks`: parse, call the service, render. Every route needs the scope `webhooks:manage`.

A secret is shown once, in the answer that made it.
"""

import json
from collections.abc import Iterator

from flask import Blueprint, Response, g

from gateway.database import Database
from gateway.domain.webhooks import Listing
from gateway.http import page_cursors, rendering
from gateway.http.validation import read_body, read_query
from gateway.services import webhook_deliveries as deliveries
from gateway.services import webhooks as service
from gateway.services.webhooks import Sealing
from gateway.v1.paths import PREFIX
from gateway.v1.schemas.fields import NoQuery
from gateway.v1.schemas.webhooks import (
    ChangeWebhook,
    CreateWebhook,
    FilterAttempts,
    ListAttempts,
    ListDeliveries,
    Recover,
    RotateSecret,
    SendTest,
)
from realtime_bridge.shared.secrets import SecretBox
from realtime_bridge.webhooks.contract import catalogue
from realtime_bridge.webhooks.contract.urls import UrlPolicy

WEBHOOKS = "/webhooks"
WEBHOOK = f"{WEBHOOKS}/<row_id:webhook_id>"
SECRETS = f"{WEBHOOK}/secrets"
DELIVERIES = f"{WEBHOOK}/deliveries"
DELIVERY = f"{DELIVERIES}/<row_id:delivery_id>"
EXPORT_PAGE = 500


def blueprint(database: Database, box: SecretBox | None, urls: UrlPolicy) -> Blueprint:
    routes = Blueprint("webhooks", __name__, url_prefix=PREFIX)
    sealing = Sealing(box=box, urls=urls)
    _add_endpoints(routes, database, sealing)
    _add_actions(routes, database)
    _add_secrets(routes, database, sealing)
    _add_deliveries(routes, database)
    _add_repairs(routes, database)
    return routes


def _add_endpoints(routes: Blueprint, database: Database, sealing: Sealing) -> None:
    def create_webhook() -> Response:
        read_query(NoQuery)
        new = read_body(CreateWebhook).to_domain()
        webhook_id, shown, secret = service.create_webhook(database, sealing, g.api_key.account_id, new)
        headers = {"Location": f"{PREFIX}{WEBHOOKS}/{webhook_id}"}
        return rendering.one(_with_secret(shown, secret), status=201, headers=headers)

    def list_webhooks() -> Response:
        read_query(NoQuery)
        return _all(service.list_webhooks(database, g.api_key.account_id))

    def get_webhook(webhook_id: int) -> Response:
        read_query(NoQuery)
        return rendering.one(service.get_webhook(database, g.api_key.account_id, webhook_id))

    def change_webhook(webhook_id: int) -> Response:
        read_query(NoQuery)
        changes = read_body(ChangeWebhook).to_domain()
        return rendering.one(service.change_webhook(database, sealing, g.api_key.account_id, webhook_id, changes))

    def delete_webhook(webhook_id: int) -> Response:
        read_query(NoQuery)
        service.delete_webhook(database, g.api_key.account_id, webhook_id)
        return Response(status=204)

    def list_event_types() -> Response:
        read_query(NoQuery)
        return _all([_kind(kind) for kind in catalogue.KINDS])

    routes.add_url_rule(WEBHOOKS, view_func=create_webhook, methods=["POST"])
    routes.add_url_rule(WEBHOOKS, view_func=list_webhooks, methods=["GET"])
    routes.add_url_rule(f"{WEBHOOKS}/event-types", view_func=list_event_types, methods=["GET"])
    routes.add_url_rule(WEBHOOK, view_func=get_webhook, methods=["GET"])
    routes.add_url_rule(WEBHOOK, view_func=change_webhook, methods=["PATCH"])
    routes.add_url_rule(WEBHOOK, view_func=delete_webhook, methods=["DELETE"])


def _add_actions(routes: Blueprint, database: Database) -> None:
    """POSTs without a body, and the test event."""

    def pause_webhook(webhook_id: int) -> Response:
        read_query(NoQuery)
        return rendering.one(service.pause(database, g.api_key.account_id, webhook_id, paused=True))

    def resume_webhook(webhook_id: int) -> Response:
        read_query(NoQuery)
        return rendering.one(service.pause(database, g.api_key.account_id, webhook_id, paused=False))

    def enable_webhook(webhook_id: int) -> Response:
        read_query(NoQuery)
        return rendering.one(service.enable(database, g.api_key.account_id, webhook_id))

    def ping_webhook(webhook_id: int) -> Response:
        read_query(NoQuery)
        return rendering.one(service.ping(database, g.api_key.account_id, webhook_id), status=202)

    def test_webhook(webhook_id: int) -> Response:
        read_query(NoQuery)
        kind = read_body(SendTest).type
        queued = service.send_test(database, g.api_key.account_id, webhook_id, kind, wants_html=rendering.wants_html())
        return rendering.one(queued, status=202)

    def list_notices(webhook_id: int) -> Response:
        read_query(NoQuery)
        return _all(service.list_notices(database, g.api_key.account_id, webhook_id))

    routes.add_url_rule(f"{WEBHOOK}/pause", view_func=pause_webhook, methods=["POST"])
    routes.add_url_rule(f"{WEBHOOK}/resume", view_func=resume_webhook, methods=["POST"])
    routes.add_url_rule(f"{WEBHOOK}/enable", view_func=enable_webhook, methods=["POST"])
    routes.add_url_rule(f"{WEBHOOK}/ping", view_func=ping_webhook, methods=["POST"])
    routes.add_url_rule(f"{WEBHOOK}/test", view_func=test_webhook, methods=["POST"])
    routes.add_url_rule(f"{WEBHOOK}/notices", view_func=list_notices, methods=["GET"])


def _add_secrets(routes: Blueprint, database: Database, sealing: Sealing) -> None:
    def rotate_secret(webhook_id: int) -> Response:
        read_query(NoQuery)
        rotation = read_body(RotateSecret).to_domain()
        shown, secret = service.rotate_secret(database, sealing, g.api_key.account_id, webhook_id, rotation)
        return rendering.one(_with_secret(shown, secret), status=201)

    def list_secrets(webhook_id: int) -> Response:
        read_query(NoQuery)
        return _all(service.list_secrets(database, g.api_key.account_id, webhook_id))

    def delete_secret(webhook_id: int, secret_id: int) -> Response:
        read_query(NoQuery)
        service.delete_secret(database, g.api_key.account_id, webhook_id, secret_id)
        return Response(status=204)

    routes.add_url_rule(SECRETS, view_func=rotate_secret, methods=["POST"])
    routes.add_url_rule(SECRETS, view_func=list_secrets, methods=["GET"])
    routes.add_url_rule(f"{SECRETS}/<row_id:secret_id>", view_func=delete_secret, methods=["DELETE"])


def _add_deliveries(routes: Blueprint, database: Database) -> None:
    def list_deliveries(webhook_id: int) -> Response:
        query = read_query(ListDeliveries)
        account_id, chosen = g.api_key.account_id, query.to_domain()
        scope = ("deliveries", account_id, webhook_id, chosen)
        after = page_cursors.decode(query.cursor, *scope) if query.cursor else None
        page = deliveries.list_deliveries(database, account_id, webhook_id, chosen, limit=query.limit, after=after)
        return _page(page, query.limit, *scope)

    def list_attempts(webhook_id: int) -> Response:
        query = read_query(ListAttempts)
        account_id, chosen = g.api_key.account_id, query.to_domain()
        scope = ("attempts", account_id, webhook_id, chosen)
        after = page_cursors.decode(query.cursor, *scope) if query.cursor else None
        page = deliveries.list_attempts(database, account_id, webhook_id, chosen, limit=query.limit, after=after)
        return _page(page, query.limit, *scope)

    def export_attempts(webhook_id: int) -> Response:
        """All that match, one JSON object a line, newest first."""
        query = read_query(FilterAttempts)
        account_id, chosen = g.api_key.account_id, query.to_domain()
        first = deliveries.list_attempts(database, account_id, webhook_id, chosen, limit=EXPORT_PAGE, after=None)

        def lines() -> Iterator[str]:
            page = first
            while page.items:
                yield "".join(f"{item}\n" for item in page.items)
                if not page.has_more:
                    return
                page = deliveries.list_attempts(
                    database, account_id, webhook_id, chosen, limit=EXPORT_PAGE, after=page.last
                )

        return Response(lines(), content_type="application/x-ndjson")

    def get_delivery(webhook_id: int, delivery_id: int) -> Response:
        read_query(NoQuery)
        return rendering.one(deliveries.get_delivery(database, g.api_key.account_id, webhook_id, delivery_id))

    routes.add_url_rule(DELIVERIES, view_func=list_deliveries, methods=["GET"])
    routes.add_url_rule(DELIVERY, view_func=get_delivery, methods=["GET"])
    routes.add_url_rule(f"{WEBHOOK}/attempts", view_func=list_attempts, methods=["GET"])
    routes.add_url_rule(f"{WEBHOOK}/attempts/export", view_func=export_attempts, methods=["GET"])


def _add_repairs(routes: Blueprint, database: Database) -> None:
    def replay_delivery(webhook_id: int, delivery_id: int) -> Response:
        read_query(NoQuery)
        shown = deliveries.replay(database, g.api_key.account_id, webhook_id, delivery_id)
        return rendering.one(shown, status=202)

    def retry_delivery(webhook_id: int, delivery_id: int) -> Response:
        read_query(NoQuery)
        shown = deliveries.retry_delivery(database, g.api_key.account_id, webhook_id, delivery_id)
        return rendering.one(shown, status=202)

    def recover_webhook(webhook_id: int) -> Response:
        read_query(NoQuery)
        range_ = read_body(Recover).to_domain()
        done = deliveries.recover(database, g.api_key.account_id, webhook_id, range_)
        answer = {"failed": done.failed, "missing": done.missing, "hasMore": done.has_more}
        return rendering.one(json.dumps(answer), status=202)

    def retry_webhook(webhook_id: int) -> Response:
        read_query(NoQuery)
        done = deliveries.retry(database, g.api_key.account_id, webhook_id)
        return rendering.one(json.dumps({"retried": done.retried, "hasMore": done.has_more}), status=202)

    routes.add_url_rule(f"{DELIVERY}/replay", view_func=replay_delivery, methods=["POST"])
    routes.add_url_rule(f"{DELIVERY}/retry", view_func=retry_delivery, methods=["POST"])
    routes.add_url_rule(f"{WEBHOOK}/recover", view_func=recover_webhook, methods=["POST"])
    routes.add_url_rule(f"{WEBHOOK}/retry", view_func=retry_webhook, methods=["POST"])


def _page(page: Listing, limit: int, *scope: object) -> Response:
    """By cursor only; nothing is counted, because there may be millions."""
    next_cursor = page_cursors.encode(page.last, *scope) if page.has_more and page.last else None
    return rendering.many(
        page.items,
        {"page": None, "limit": limit, "total": None, "hasMore": page.has_more, "nextCursor": next_cursor},
    )


def _all(items: list[str]) -> Response:
    """A short list, whole."""
    total = len(items)
    return rendering.many(
        items, {"page": 1, "limit": max(total, 1), "total": total, "hasMore": False, "nextCursor": None}
    )


def _with_secret(representation: str, secret: str) -> str:
    return json.dumps(json.loads(representation) | {"secret": secret}, ensure_ascii=False)


def _kind(kind: catalogue.Kind) -> str:
    return json.dumps(
        {"type": kind.type, "description": kind.description, "schema": kind.schema, "example": kind.example}
    )
