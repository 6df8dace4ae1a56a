"""Endpoints as the sender needs them: URL, secrets, health. Called by the sender."""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import uuid4

import structlog
from psycopg import AsyncConnection
from psycopg.rows import dict_row

from realtime_bridge.shared import sql
from realtime_bridge.shared.secrets import SecretBox, SecretsError
from realtime_bridge.webhooks import metrics
from realtime_bridge.webhooks.contract import health
from realtime_bridge.webhooks.contract.health import Condition, Health, Notice, Result
from realtime_bridge.webhooks.contract.signing import secrets_context

log = structlog.get_logger(__name__)
_QUERIES = sql.AsyncQueries(__file__)
MAX_OPENED = 10_000  # secrets that are remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Never log it: it holds keys and, perhaps, tokens."""

    id: int
    url: str
    headers: Mapping[str, str] = field(repr=False)
    keys: Sequence[tuple[int, bytes]] = field(repr=False)
    """Live secrets as (id, key), newest first."""
    compatibility_signature: bool
    error: str = ""
    """Why it cannot be called now (a secret that does not open); empty when it can."""


class Endpoints:
    """Loads endpoints and opens their secrets; an opened one is remembered by its sealed form."""

    def __init__(self, box: SecretBox) -> None:
        self._open = lru_cache(MAX_OPENED)(box.open)

    async def load(self, connection: AsyncConnection[Any], webhook_ids: Iterable[int]) -> dict[int, Endpoint]:
        rows = await _QUERIES.list_rows(connection, "load", dict_row, webhook_ids=list(webhook_ids))
        return {row["id"]: self._endpoint(row) for row in rows}

    def _endpoint(self, row: dict[str, Any]) -> Endpoint:
        context = secrets_context(row["account_id"])
        headers: dict[str, str] = {}
        keys: list[tuple[int, bytes]] = []
        error = ""
        try:
            keys = [(one["id"], self._open(base64.b64decode(one["sealed"]), context)) for one in row["secrets"]]
            if row["headers_sealed"]:
                headers = json.loads(self._open(bytes(row["headers_sealed"]), context))
        except SecretsError as reason:
            error = str(reason)
        return Endpoint(
            id=row["id"],
            url=row["url"],
            headers=headers,
            keys=keys,
            compatibility_signature=row["compatibility_signature"],
            error=error or ("" if keys else "The endpoint has no live secret."),
        )


async def note_results(
    connection: AsyncConnection[Any], results: Mapping[int, Sequence[Result]], now: datetime
) -> None:
    """Move the condition of each endpoint by its attempts, oldest first, and tell its owner what changed."""
    rows = await _QUERIES.list_rows(connection, "lock_conditions", dict_row, webhook_ids=list(results))
    for row in rows:
        known = {name: row[name] for name in Condition.__slots__}
        before = condition = Condition(**known | {"health": Health(row["health"])})
        notices: list[Notice] = []
        for result in results[row["webhook_id"]]:
            condition, told = health.after(condition, result, now)
            notices += told
        if condition != before:
            values = asdict(condition) | {"reason": notices[-1].reason if notices else None}
            await _QUERIES.run(connection, "write_condition", webhook_id=row["webhook_id"], **values)
        for notice in notices:
            await _append_notice(connection, row, notice)


async def note_success(connection: AsyncConnection[Any], webhook_ids: Iterable[int]) -> None:
    await _QUERIES.run(connection, "note_success", webhook_ids=list(webhook_ids))


async def bring_forward(connection: AsyncConnection[Any], delays: Mapping[int, float]) -> None:
    """Say when each endpoint has something due, in seconds from now, if that is sooner than known."""
    await _QUERIES.run(connection, "bring_forward", webhook_ids=list(delays), delays=list(delays.values()))


async def _append_notice(connection: AsyncConnection[Any], row: dict[str, Any], notice: Notice) -> None:
    log.warning("webhook notice", webhook_id=row["webhook_id"], type=notice.type.value, reason=notice.reason)
    metrics.NOTICES.labels(notice.type.value).inc()
    values = {
        "webhook_id": row["webhook_id"],
        "account_id": row["account_id"],
        "event_id": uuid4(),
        "url": row["url"],
        "type": notice.type.value,
        "reason": notice.reason[:500],
    }
    await bring_forward(
        connection, dict.fromkeys(await _QUERIES.list_values(connection, "append_notice", **values), 0.0)
    )
