"""Schemas for reading events. Used by the views and by the description of the API."""

import re
from typing import Annotated

from pydantic import Field, StringConstraints

from gateway.domain.event_cursors import MAX_CURSOR_CHARS
from gateway.v1.schemas.fields import Number, Query
from realtime_bridge.event_log.event import EventType

MAX_WAIT_S = 25  # below the 30 s after which many proxies give up
MAX_EVENTS = 500
_TYPES = "|".join(re.escape(event_type) for event_type in EventType)


class ListEvents(Query):
    after: Annotated[
        str | None,
        StringConstraints(min_length=1, max_length=MAX_CURSOR_CHARS),
        Field(
            description="The `nextCursor` of the answer before; `latest` for a cursor after the newest event and no"
            " events; left out for the oldest event that is kept."
        ),
    ] = None
    types: Annotated[
        str | None,
        StringConstraints(pattern=f"^({_TYPES})(,({_TYPES}))*$"),
        Field(description="Only these types, separated by commas.", examples=["message.new,message.status"]),
    ] = None
    limit: Annotated[
        int,
        Field(ge=1, le=MAX_EVENTS, description="A page ends before it when it has a megabyte; `hasMore` says so."),
        Number,
    ] = 100
    wait: Annotated[
        int,
        Field(ge=0, le=MAX_WAIT_S, description="Seconds to wait for an event when there is none yet."),
        Number,
    ] = 0

    @property
    def type_list(self) -> tuple[str, ...] | None:
        return None if self.types is None else tuple(dict.fromkeys(self.types.split(",")))
