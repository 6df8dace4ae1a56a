"""`/events`: every event of the account, from a cursor on. Parse, call the service, render.

An event is shown with the body that webhooks send, so a consumer may use either, and one to fill the gaps of the other.
"""

from collections.abc import Sequence
from uuid import UUID

from flask import Response, request

from gateway.domain import event_cursors
from gateway.domain.event_cursors import EventCursor
from gateway.errors import CursorExpired
from gateway.http import rendering
from gateway.http.routes import Route
from gateway.services.events import LATEST, CatchUp
from gateway.v1.paths import PREFIX
from gateway.v1.schemas.answers import LOG_ENTRY
from gateway.v1.schemas.events import ListEvents
from realtime_bridge.shared.content_html import event_with_html


def list_events(catch_up: CatchUp, account_id: UUID, query: ListEvents) -> Response:
    """Catch up with events. Every event of the account in the order of the log, from a cursor on. `nextCursor` is
    always there: keep it, and go on with it for as long as events are kept. An event that commits late comes with a
    later page, and does come; within a conversation the order is that of `conversationSeq`. An event may, rarely, come
    twice: drop it by `eventId`.

    To begin with a state: take a cursor with `after=latest`, fetch the state, then go on from the cursor.
    """
    after = catch_up.start_at(account_id, query.after)
    if query.after == LATEST:
        return _render((), account_id, after, has_more=False, limit=query.limit)
    page = catch_up.list_events(
        account_id,
        after,
        types=query.type_list,
        limit=query.limit,
        wait_s=float(query.wait),
        client=request.environ.get("gunicorn.socket"),
    )
    items = [*map(event_with_html, page.items)] if rendering.wants_html() else page.items
    return _render(items, account_id, page.cursor, has_more=page.has_more, limit=query.limit)


ROUTES = (
    Route(
        "GET",
        f"{PREFIX}/events",
        list_events,
        area="events",
        tag="Events",
        is_list=True,
        answer=LOG_ENTRY,
        problems=(CursorExpired,),
        live=True,
    ),
)


def _render(items: Sequence[str], account_id: UUID, cursor: EventCursor, *, has_more: bool, limit: int) -> Response:
    """`nextCursor` is always there: with it one goes on for ever, also after an empty page."""
    next_cursor = event_cursors.encode(cursor, account_id)
    return rendering.many(items, limit=limit, has_more=has_more, next_cursor=next_cursor, next_as="after")
