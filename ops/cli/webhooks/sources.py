"""Sources of `crossfade webhooks listen`.

The API's catch-up by long poll, for whoever has a key; the event log itself, for whoever has the database.
"""

import json
import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import requests
from psycopg.rows import dict_row

from gateway.database import Connection
from ops.errors import OpsError
from realtime_bridge.event_log.event import EventType
from realtime_bridge.shared import sql

_QUERIES = sql.Queries(__file__)
POLL_S = 0.25
WAIT_S = 20  # of a long poll; below the time after which proxies give up
API_TIMEOUT_S = WAIT_S + 10.0
RETRY_S = 1.0
API_PATH = re.compile(r"/api/v1/chat(/.*)?$")  # people give the API's address with the path that each request has
LATEST = "latest"  # asks for the cursor after the newest event
LOOK_BACK = 1_000  # ids below the newest that may still appear: a transaction takes its id before it commits


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """One event as a request carries it."""

    event_id: str
    type: str
    seq: int | None
    body: bytes


def find_newest(connection: Connection) -> int:
    """Return the last id of the log, 0 of an empty one."""
    return int(_QUERIES.find_value(connection, "newest") or 0)


def read_log(connection: Connection, account_id: UUID, patterns: Sequence[str], after: int) -> Iterator[Carried]:
    """Yield an account's events after that id of the log, in its order, without end."""
    seen: deque[int] = deque(maxlen=LOOK_BACK)
    values = {"account_id": account_id, "patterns": list(patterns)}
    while True:
        mark = max(after, max(seen, default=after) - LOOK_BACK)
        rows = _QUERIES.list_rows(connection, "read", dict_row, **values, after=mark, seen=list(seen))
        for row in rows:
            seen.append(row["id"])
            if row["wanted"]:
                body = row["body"].encode()
                yield Carried(event_id=str(row["event_id"]), type=row["type"], seq=row["id"], body=body)
        if not rows:
            time.sleep(POLL_S)


class ApiSource:
    """Asks `GET /api/v1/chat/events` from now on, by long poll, without end; waits while the gateway is away.

    `say` is told in a sentence what the events alone do not show.
    """

    def __init__(self, url: str, api_key: str, patterns: Sequence[str], say: Callable[[str], None]) -> None:
        self._gateway = API_PATH.sub("", url).rstrip("/")
        self._url = f"{self._gateway}/api/v1/chat/events"
        self._types = [one.value for one in EventType if any(fnmatchcase(one, pattern) for pattern in patterns)]
        if not self._types:
            raise OpsError(f"{' '.join(patterns)} goes to webhooks only; the API tells of messages and conversations.")
        self._say = say
        self._session = requests.Session()
        self._session.headers["X-API-Key"] = api_key

    def events(self) -> Iterator[Carried]:
        cursor = LATEST
        while True:
            answer = self._ask(cursor)
            if answer.status_code == HTTPStatus.GONE:
                self._say("Some events are no longer kept and were not forwarded; going on with the oldest that are.")
                cursor = answer.json()["oldestCursor"]
                continue
            page: dict[str, Any] = answer.json()
            for event in page["data"]:
                body = json.dumps(event, ensure_ascii=False).encode()
                yield Carried(event_id=event["eventId"], type=event["type"], seq=event["seq"], body=body)
            cursor = page["pagination"]["nextCursor"]

    def _ask(self, cursor: str) -> requests.Response:
        """Return a page, or the answer that the cursor is too old; asks again while the gateway is away or busy.

        Says once why it waits, not at each try.
        """
        query = {"after": cursor, "types": ",".join(self._types)} | ({} if cursor == LATEST else {"wait": str(WAIT_S)})
        is_told = False
        while True:
            what = f"No answer from {self._gateway}"
            with suppress(requests.RequestException):
                answer = self._session.get(self._url, params=query, timeout=API_TIMEOUT_S)
                status = answer.status_code
                if status != HTTPStatus.TOO_MANY_REQUESTS and status < HTTPStatus.INTERNAL_SERVER_ERROR:
                    return self._checked(answer)
                what = f"{self._gateway} answered {status}"
            if not is_told:
                self._say(f"{what}, trying again.")
                is_told = True
            time.sleep(RETRY_S)

    def _checked(self, answer: requests.Response) -> requests.Response:
        """Return a page or the answer that the cursor is too old; anything else is refused in a sentence."""
        status = answer.status_code
        try:
            document = answer.json()
        except requests.JSONDecodeError:
            document = None
        if not isinstance(document, dict):
            raise OpsError(f"{self._gateway} answered {status}, and not as Crossfade's gateway does.")
        if status not in (HTTPStatus.OK, HTTPStatus.GONE):
            said = [str(document[name]).rstrip(".") for name in ("title", "detail") if document.get(name)]
            raise OpsError(f"The API answered {status}: {'. '.join(said)}.")
        return answer


def is_http(url: str) -> bool:
    """Whether a request can be sent there: http or https, a host, and a port that there is."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
