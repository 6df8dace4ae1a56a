"""Bodies of requests, made once for each event. Shared by all endpoints that it goes to. Called by deliveries.py."""

import json
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import tuple_row

from realtime_bridge.event_log.event import ALIASES
from realtime_bridge.shared import sql
from realtime_bridge.shared.content_html import event_with_html
from realtime_bridge.shared.payloads import is_readable

_QUERIES = sql.AsyncQueries(__file__)
KEPT = 1_000  # events
KEPT_BYTES = 8_000_000  # a generation; bodies are small, and those that are not are read again
KEPT_S = 10.0  # an event's deliveries are claimed within that, or later and one by one


class Bodies:
    """Bodies of events by their id in the log. Two generations: what the last one held is known a while.

    An event that is sent under another name than its own has the same body, with that name.
    """

    def __init__(self) -> None:
        self._young: dict[int, bytes] = {}
        self._old: dict[int, bytes] = {}
        self._young_bytes = 0
        self._since = time.monotonic()

    async def load(
        self, connection: AsyncConnection[Any], events: Iterable[tuple[int, datetime]]
    ) -> Mapping[int, bytes]:
        """Return the bodies of events, named by id and time; those that the log no longer holds are missing."""
        self._age()
        wanted = dict(events)
        found = {log_id: body for log_id in wanted if (body := self._young.get(log_id) or self._old.get(log_id))}
        if missing := [log_id for log_id in wanted if log_id not in found]:
            logged_at = [wanted[log_id] for log_id in missing]
            rows = await _QUERIES.list_rows(connection, "read", tuple_row, ids=missing, logged_at=logged_at)
            read = {
                log_id: (event_with_html(body) if wants_html and is_readable(body) else body).encode()
                for log_id, body, wants_html in rows
            }
            self._young |= read
            self._young_bytes += sum(map(len, read.values()))
            found |= read
        return found

    @staticmethod
    def named(body: bytes | None, type_: str) -> bytes | None:
        """Return the body under the name that its endpoint wants the event by."""
        if body is None or type_ not in ALIASES or not is_readable(body.decode()):
            return body
        return json.dumps(json.loads(body) | {"type": type_}, ensure_ascii=False).encode()

    def _age(self) -> None:
        old_s = time.monotonic() - self._since
        if old_s > KEPT_S or len(self._young) >= KEPT or self._young_bytes > KEPT_BYTES:
            self._old = self._young if old_s <= 2 * KEPT_S and self._young_bytes <= KEPT_BYTES else {}
            self._young, self._since, self._young_bytes = {}, time.monotonic(), 0
