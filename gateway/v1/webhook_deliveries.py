"""`/webhooks/{id}/deliveries` and `/attempts`: what was sent, and sending it again. Parse, call the service, render."""

from collections.abc import Iterator
from functools import partial
from uuid import UUID

from flask import Response

from gateway.database import Database
from gateway.domain.conflicts import AlreadyDelivered, WebhookDisabled
from gateway.domain.keys import Scope
from gateway.domain.webhooks import DeliveryFilter
from gateway.http import page_cursors, rendering
from gateway.http.routes import Route
from gateway.services import webhook_deliveries as service
from gateway.v1.paths import WEBHOOK
from gateway.v1.schemas import webhook_answers as answers
from gateway.v1.schemas.webhooks import FilterAttempts, ListAttempts, ListDeliveries, Recover

DELIVERIES = f"{WEBHOOK}/deliveries"
DELIVERY = f"{DELIVERIES}/<row_id:delivery_id>"
EXPORT_PAGE = 500


def list_deliveries(database: Database, account_id: UUID, webhook_id: int, query: ListDeliveries) -> Response:
    """List deliveries. Newest first. An event that is sent to a webhook is one delivery, however often it is tried."""
    chosen = query.into(DeliveryFilter)
    read = partial(service.list_sent, database, account_id, webhook_id, chosen)
    return page_cursors.answer(read, query.cursor, query.limit, "deliveries", account_id, webhook_id, chosen)


def get_delivery(database: Database, account_id: UUID, webhook_id: int, delivery_id: int) -> Response:
    """Get a delivery. With its attempts."""
    return rendering.one(service.get_delivery(database, account_id, webhook_id, delivery_id))


def replay_delivery(database: Database, account_id: UUID, webhook_id: int, delivery_id: int) -> Response:
    """Send a delivery again. Under the same `webhook-id`. One that is still open is on its way already and stays as it
    is.
    """
    return rendering.one(service.replay(database, account_id, webhook_id, delivery_id))


def retry_delivery(database: Database, account_id: UUID, webhook_id: int, delivery_id: int) -> Response:
    """Retry a delivery now. One that waits for its next attempt is due at once, and the webhook's rest after failures
    is over; the attempts that were made still count. Of a `fifo` webhook what is older in its conversation is due, too,
    and goes first. One that has failed for good is tried once more. Asking again changes nothing; a paused webhook
    stays paused.
    """
    return rendering.one(service.retry_delivery(database, account_id, webhook_id, delivery_id))


def list_attempts(database: Database, account_id: UUID, webhook_id: int, query: ListAttempts) -> Response:
    """List attempts. Every request that was made, with status, timing, error and answer; newest first."""
    chosen = query.to_domain()
    read = partial(service.list_sent, database, account_id, webhook_id, chosen)
    return page_cursors.answer(read, query.cursor, query.limit, "attempts", account_id, webhook_id, chosen)


def export_attempts(database: Database, account_id: UUID, webhook_id: int, query: FilterAttempts) -> Response:
    """Export attempts. All that match, one JSON object a line, newest first."""
    read = partial(service.list_sent, database, account_id, webhook_id, query.to_domain(), limit=EXPORT_PAGE)
    first = read(after=None)

    def lines() -> Iterator[str]:
        page = first
        while page.items:
            yield "".join(f"{item}\n" for item in page.items)
            if not page.has_more:
                return
            page = read(after=page.last)

    return Response(lines(), content_type="application/x-ndjson")


def recover_webhook(database: Database, account_id: UUID, webhook_id: int, body: Recover) -> Response:
    """Deliver what was missed. Events of a range that failed, or that nobody was told of because the webhook was
    disabled, from the time on when it was made. What was delivered is not sent again.
    """
    done = service.recover(database, account_id, webhook_id, body.to_domain())
    return rendering.one(rendering.shown(done, answers.Recovered))


def retry_webhook(database: Database, account_id: UUID, webhook_id: int) -> Response:
    """Retry now. Everything that waits for its next attempt is due at once, and a rest after failures is over: for a
    receiver that is well again. The attempts that were made still count; a paused webhook stays paused.
    """
    return rendering.one(rendering.shown(service.retry(database, account_id, webhook_id), answers.Retried))


_route = partial(Route, area="webhooks", tag="Webhook deliveries", own_scope=Scope.WEBHOOKS)
_again = partial(_route, status=202, answer=answers.DeliveryWithAttempts, problems=(WebhookDisabled,))
ROUTES = (
    _route("GET", DELIVERIES, list_deliveries, is_list=True, answer=answers.Delivery),
    _route("GET", DELIVERY, get_delivery, answer=answers.DeliveryWithAttempts),
    _again("POST", f"{DELIVERY}/replay", replay_delivery),
    _again("POST", f"{DELIVERY}/retry", retry_delivery, problems=(WebhookDisabled, AlreadyDelivered)),
    _route("GET", f"{WEBHOOK}/attempts", list_attempts, is_list=True, answer=answers.Attempt),
    _route("GET", f"{WEBHOOK}/attempts/export", export_attempts, as_lines=True, answer=answers.Attempt),
    _again(
        "POST",
        f"{WEBHOOK}/recover",
        recover_webhook,
        answer=answers.Recovered,
        example={"since": "2026-11-20T10:00:00Z", "until": "2026-11-20T12:00:00Z"},
    ),
    _again("POST", f"{WEBHOOK}/retry", retry_webhook, answer=answers.Retried),
)
