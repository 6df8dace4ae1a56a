"""What `crossfade webhooks listen` does: read the log, sign, post to this machine. Stores nothing."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import click
import psycopg
import requests
from psycopg.rows import DictRow

from realtime_bridge import sql
from realtime_bridge.webhooks import signing

_QUERIES = sql.load(__file__)
POLL_S = 0.25
POST_TIMEOUT_S = 15.0  # as in earnest
LOOK_BACK = 1_000  # ids below the newest that may still appear: a transaction takes its id before it commits


class Listener:
    """Forwards events one at a time, in the log's order."""

    def __init__(
        self,
        connection: psycopg.Connection[DictRow],
        *,
        target: str,
        account_id: UUID,
        patterns: Sequence[str],
        secret: str | None,
        after: int | None,
    ) -> None:
        self._connection = connection
        self._target = target
        self._account_id = account_id
        self._patterns = list(patterns)
        self.secret = secret or signing.new_secret()
        self._keys = [signing.key_of(self.secret)]
        self._start = self._newest() if after is None else after
        self._seen: deque[int] = deque(maxlen=LOOK_BACK)
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy has no business between two programs of one machine

    def introduce(self, *, as_json: bool) -> None:
        """Say on stderr what is forwarded where, and the secret to verify with."""
        if not as_json:
            click.echo(f"Events of {self._account_id} go to {self._target}. Verify with {self.secret}", err=True)

    def forward(self, count: int | None) -> Iterator[dict[str, Any]]:
        """Yield what became of each event, until `count` were sent."""
        sent = 0
        while True:
            rows = self._read()
            for row in rows:
                self._seen.append(row["id"])
                if not row["wanted"]:
                    continue
                yield self._post(row)
                sent += 1
                if sent == count:
                    return
            if not rows:
                time.sleep(POLL_S)

    @staticmethod
    def line(shown: dict[str, Any]) -> str:
        return f"{shown['seq']:>8}  {shown['type']:<22} {shown['eventId']}  {shown['status'] or shown['error']}"

    def _newest(self) -> int:
        row = self._connection.execute(_QUERIES["newest"]).fetchone()
        return int(row["id"]) if row else 0

    def _read(self) -> list[DictRow]:
        newest = max(self._seen, default=self._start)
        values = {
            "account_id": self._account_id,
            "patterns": self._patterns,
            "after": max(self._start, newest - LOOK_BACK),
            "seen": list(self._seen),
        }
        return self._connection.execute(_QUERIES["read"], values).fetchall()

    def _post(self, row: DictRow) -> dict[str, Any]:
        body = row["body"].encode()
        now = int(time.time())
        headers = {
            "Content-Type": "application/json",
            signing.ID_HEADER: str(row["event_id"]),
            signing.TIMESTAMP_HEADER: str(now),
            signing.SIGNATURE_HEADER: signing.sign(self._keys, str(row["event_id"]), now, body),
        }
        shown = {"seq": row["id"], "type": row["type"], "eventId": str(row["event_id"]), "status": None, "error": None}
        try:
            answer = self._session.post(
                self._target, data=body, headers=headers, timeout=POST_TIMEOUT_S, allow_redirects=False
            )
        except requests.RequestException as error:
            return shown | {"error": type(error).__name__}
        return shown | {"status": answer.status_code}
