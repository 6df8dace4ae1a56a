"""`/events`: every event of the account, from a cursor on. Parse, call the service, render.

An event is shown with the body that webhooks send, so a consumer may use either, and one to fill the gaps of the other.
"""

from flask import Blueprint, Response, g, request

from gateway.domain import event_cursors
from gateway.domain.event_cursors import EventCursor, EventPage
from gateway.http import rendering
from gateway.http.validation import read_query
from gateway.services.events import LATEST, CatchUp
from gateway.v1.paths import PREFIX
from gateway.v1.schemas.events import ListEvents
from realtime_bridge.shared.content_html import event_with_html


def blueprint(catch_up: CatchUp) -> Blueprint:
    routes = Blueprint("events", __name__, url_prefix=PREFIX)

    def list_events() -> Response:
        query = read_query(ListEvents)
        account_id = g.api_key.account_id
        after = catch_up.start_at(account_id, query.after)
        if query.after == LATEST:
            return _render((), after, has_more=False, limit=query.limit)
        page = catch_up.list_events(
            account_id,
            after,
            types=query.type_list,
            limit=query.limit,
            wait_s=float(query.wait),
            client=request.environ.get("gunicorn.socket"),
        )
        return _page(page, query.limit)

    routes.add_url_rule("/events", view_func=list_events, methods=["GET"])
    return routes


def _page(page: EventPage, limit: int) -> Response:
    items = tuple(map(event_with_html, page.items)) if rendering.wants_html() else page.items
    return _render(items, page.cursor, has_more=page.has_more, limit=limit)


def _render(items: tuple[str, ...], cursor: EventCursor, *, has_more: bool, limit: int) -> Response:
    """`nextCursor` is always there: with it one goes on for ever, also after an empty page."""
    next_cursor = event_cursors.encode(cursor, g.api_key.account_id)
    return rendering.many(
        items, {"page": None, "limit": limit, "total": None, "hasMore": has_more, "nextCursor": next_cursor}
    )
