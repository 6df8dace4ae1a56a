"""Client of WUZAPI: send a text. Used by the sender; knows HTTP and nothing of queues.

WuzapiError
├── MessageRefused      this message can never be sent; the text is the reason
└── ServerUnavailable   nothing can be said now, or it is not known what became of it: the same again, later
"""

import aiohttp

from realtime_bridge.shared import outbound
from realtime_bridge.shared.payloads import Unreadable, decode, storable
from realtime_bridge.wuzapi.queue import SENDS

TIMEOUT_S = 20.0  # WUZAPI waits up to ten seconds for a phone's answer
REASON_CHARACTERS = 300
REFUSED_STATUSES = frozenset({400, 413, 422})  # it has looked at this very message


class WuzapiError(Exception):
    """Base of what a send may raise; the text is shown to people, can be stored, and holds no secret."""

    def __init__(self, reason: str) -> None:
        super().__init__(storable(reason))


class MessageRefused(WuzapiError):
    """Sending it again would be refused again."""


class ServerUnavailable(WuzapiError):
    """`retry_after_s` is the server's own wish, if it gave one."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class WuzapiClient:
    """Sends over one pooled HTTP session; follows no redirects and takes no proxy from the environment."""

    def __init__(self, *, timeout_s: float = TIMEOUT_S) -> None:
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session = outbound.session(outbound.BoundedConnector(limit=SENDS), timeout)

    async def send_text(self, *, base_url: str, token: str, phone: str, text: str, message_id: str) -> None:
        """Send `text` under our own id: phones show one message however often it is sent. Raises WuzapiError."""
        body = {"Phone": phone, "Body": text, "Id": message_id, "LinkPreview": False}
        try:
            async with self._session.post(
                f"{base_url}/chat/send/text", json=body, headers={"Token": token}, allow_redirects=False
            ) as answer:
                raw = await answer.read()
        except TimeoutError:
            raise ServerUnavailable("WUZAPI did not answer in time.") from None
        except (aiohttp.ClientError, ValueError) as error:
            raise ServerUnavailable(f"WUZAPI cannot be reached: {type(error).__name__}.") from None
        _check(answer.status, answer.headers.get("Retry-After"), raw)

    async def close(self) -> None:
        await self._session.close()


def _check(status: int, retry_after: str | None, raw: bytes) -> None:
    """Raise unless WUZAPI says that the message is on its way."""
    try:
        document = decode(raw)
    except Unreadable:
        document = {}
    if status == 200 and document.get("success") is True:  # noqa: PLR2004 - the only success
        return
    said = str(document.get("error") or "")[:REASON_CHARACTERS]
    reason = f"WUZAPI answered {status}{f': {said}' if said else ''}."
    if status in REFUSED_STATUSES:
        raise MessageRefused(reason)
    raise ServerUnavailable(reason, _seconds(retry_after))


def _seconds(value: str | None) -> float | None:
    """Read delta-seconds; a date is left to our own schedule."""
    return float(value) if value and value.isascii() and value.isdigit() else None
