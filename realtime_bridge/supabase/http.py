"""Transport by `POST /realtime/v1/api/broadcast`. For chat tables that live in another database than Supabase's.

At least once: each message carries an id made of event and topic, delivered as `meta.id`. An id may stand once in a
request, over all its topics, or Supabase refuses the request whole. A private message that the token may not
write is dropped by Supabase behind a 202, which is why the token is the project's secret key.
"""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import aiohttp
from psycopg import AsyncConnection

from realtime_bridge.relay.sink import EventRefused, SinkError, SinkUnavailable
from realtime_bridge.shared.payloads import decode
from realtime_bridge.supabase.rate import Rate
from realtime_bridge.supabase.transport import Broadcast

TIMEOUT_S = 2.0  # a hundred authorizations take a tenth of a second; users wait while a hanging provider is found out
ERROR_BODY_BYTES = 65_536  # what is wrong with each of a hundred messages
REASON_CHARACTERS = 2_048
OVER_STATUS = 429
TOO_LARGE = "reduce the batch size"  # of the same status: fewer at once would go through
REFUSED_STATUSES = frozenset({400, 413, 415, 422})  # the batch is at fault; one message of it is, to be found


class HttpTransport:
    """Sends batches over one pooled HTTP session. Tells `rate` what the server says of it, whoever sends."""

    transactional = False

    def __init__(
        self, *, supabase_url: str, secret_key: str, rate: Rate | None = None, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._rate = rate or Rate()
        self._url = f"{supabase_url}/realtime/v1/api/broadcast"
        self._headers = {"apikey": secret_key, "Authorization": f"Bearer {secret_key}"}
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None

    @property
    def max_batch(self) -> int:
        return self._rate.batch

    async def send(self, broadcasts: Sequence[Broadcast], connection: AsyncConnection[Any] | None = None) -> None:
        """Post `broadcasts` in batches that the rate allows; `connection` is not used: no network call belongs in one.

        A batch that fails leaves those before it sent: they are repeats, under the same ids, when all is sent again.
        """
        del connection
        places = _first_places(broadcasts)
        for start in range(0, len(places), self._rate.batch):
            await self._post(broadcasts, places[start : start + self._rate.batch])

    async def _post(self, broadcasts: Sequence[Broadcast], places: Sequence[int]) -> None:
        messages = [
            {"topic": b.topic, "event": b.event, "payload": b.payload, "private": True, "id": str(b.id)}
            for b in map(broadcasts.__getitem__, places)
        ]
        body = json.dumps({"messages": messages}, separators=(",", ":"), ensure_ascii=False).encode()
        try:
            async with self._open().post(self._url, data=body, allow_redirects=False) as answer:
                self._rate.learn(answer.headers.get("x-rate-limit"))
                if answer.status != 202:  # noqa: PLR2004 - the only success
                    raise await self._problem(answer, places)
        except TimeoutError:
            raise SinkUnavailable("Supabase did not answer in time.") from None
        except aiohttp.ClientError as error:
            raise SinkUnavailable(f"Supabase cannot be reached: {error}") from error

    async def close(self) -> None:
        if self._session:
            await self._session.close()

    async def _problem(self, answer: aiohttp.ClientResponse, places: Sequence[int]) -> SinkError:
        body = await answer.content.read(ERROR_BODY_BYTES)
        text = body.decode(errors="replace").strip()[:REASON_CHARACTERS]
        reason = f"Supabase answered {answer.status}: {text}"
        retry_after_s = _retry_after_s(answer.headers.get("Retry-After"))
        if answer.status == OVER_STATUS:
            return self._rate.shrink() if TOO_LARGE in text else self._rate.refused(retry_after_s)
        if answer.status in REFUSED_STATUSES:
            return EventRefused(reason, {places[at]: why for at, why in _named(body).items() if at < len(places)})
        return SinkUnavailable(reason, retry_after_s)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            headers = {**self._headers, "Content-Type": "application/json"}
            self._session = aiohttp.ClientSession(timeout=self._timeout, headers=headers)
        return self._session


def _first_places(broadcasts: Sequence[Broadcast]) -> list[int]:
    """Return where each id stands first: one id is one message, and a second would take all others with it."""
    places: dict[UUID, int] = {}
    for place, broadcast in enumerate(broadcasts):
        places.setdefault(broadcast.id, place)
    return list(places.values())


def _named(body: bytes) -> dict[int, str]:
    """Read `{"errors": {"messages": [{}, {"id": ["has already been taken"]}]}}`: which are wrong, and in what."""
    try:
        problems = decode(body)["errors"]["messages"]
        return {
            place: "Supabase: " + "; ".join(f"{name} {' '.join(map(str, why))}" for name, why in wrong.items())
            for place, wrong in enumerate(problems)
            if wrong
        }
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}


def _retry_after_s(value: str | None) -> float | None:
    """Read delta-seconds; a date is left to our own schedule."""
    try:
        return float(value) if value else None
    except ValueError:
        return None
