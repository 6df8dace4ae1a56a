"""Sender of queued texts to WUZAPI servers. Every bridge runs one, and they share the queue.

A channel is served by one task at a time and no task waits for another: a server that hangs holds up only its channel,
and no account has more under way than its share (shares.py).
"""

import asyncio
import contextlib
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import structlog

from realtime_bridge import metrics
from realtime_bridge.shared import shares
from realtime_bridge.shared.database import Pool
from realtime_bridge.shared.secrets import SecretBox, SecretsError
from realtime_bridge.wuzapi import queue
from realtime_bridge.wuzapi.channels import token_context
from realtime_bridge.wuzapi.client import MessageRefused, ServerUnavailable, WuzapiClient
from realtime_bridge.wuzapi.queue import Send

log = structlog.get_logger(__name__)

POLL_S = 0.25  # one indexed read for each channel; a person does not notice it
DATABASE_RETRY_S = 1.0
FORGET_S = 600.0  # how often settled messages are looked through for old ones
FIRST_WAIT_S = 2.0
MAX_WAIT_S = 300.0  # a server that is back is used again within five minutes
MAX_REST_S = 30.0  # a channel's own pause is shorter, for what failed may have been the message and not the server
MAX_RETRY_AFTER_S = 3_600.0
GIVE_UP = timedelta(hours=24)  # a chat message that is a day late answers nothing any more
PHONE_SERVER = "@s.whatsapp.net"


@dataclass(kw_only=True, eq=False)
class Sender:
    """Takes what is due and sends it, until stopped."""

    pool: Pool
    secrets: SecretBox
    servers: frozenset[str]
    client: WuzapiClient
    give_up: timedelta = GIVE_UP

    def __post_init__(self) -> None:
        self._busy: dict[UUID, asyncio.Task[None]] = {}
        self._held = shares.Held(queue.SENDS)
        self._stopping = asyncio.Event()
        self._forgot_at = time.monotonic()

    def stop(self) -> None:
        self._stopping.set()

    async def run(self) -> None:
        """Send until `stop()`; survives every failure of the database and of the servers."""
        try:
            while not self._stopping.is_set():
                pause_s = POLL_S
                try:
                    await self.run_once()
                    await self._forget()
                except psycopg.Error as error:
                    log.warning("queue of sends not read", error=str(error).strip())
                    pause_s = DATABASE_RETRY_S
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), pause_s)
        finally:
            await self.drain()

    async def run_once(self) -> int:
        """Take what is due and begin to send it; return how many messages. `drain` waits for them."""
        async with self.pool.connection() as connection:
            taken = await queue.claim(connection, list(self._busy), self._held)
        by_channel: dict[UUID, list[Send]] = {}
        for send in taken:
            self._held.add(send.account_id)
            by_channel.setdefault(send.channel_id, []).append(send)
        for channel_id, batch in by_channel.items():
            task = asyncio.create_task(self._serve(batch))
            self._busy[channel_id] = task
            task.add_done_callback(lambda _, channel=channel_id: self._busy.pop(channel, None))  # type: ignore[misc]
        return len(taken)

    async def _forget(self) -> None:
        if time.monotonic() - self._forgot_at >= FORGET_S:
            self._forgot_at = time.monotonic()
            async with self.pool.connection() as connection:
                await queue.forget_settled(connection)

    async def drain(self) -> None:
        """Wait until everything that was begun is settled; the client's timeout bounds it."""
        while self._busy:
            await asyncio.wait(self._busy.values())

    async def _serve(self, batch: list[Send]) -> None:
        results = await asyncio.gather(*(self._send(send) for send in batch), return_exceptions=True)
        for send, result in zip(batch, results, strict=True):
            if isinstance(result, BaseException):  # the lease gives it back, and it goes out under the same id
                log.warning("send not settled", message_id=send.message_id, error=repr(result))

    async def _send(self, send: Send) -> None:
        try:
            await self._try(send)
        finally:
            self._held.add(send.account_id, -1)

    async def _try(self, send: Send) -> None:
        if send.is_deleted:
            return await self._settle("settle_cancelled", send)
        if send.message_type != "text":
            return await self._fail(send, "This channel can only send text.")
        try:
            await self._deliver(send)
        except MessageRefused as reason:
            return await self._fail(send, str(reason))
        except ServerUnavailable as reason:
            return await self._put_off(send, reason)
        except Exception as error:  # noqa: BLE001 - whatever a server provokes is this message's, and has an end
            return await self._put_off(send, ServerUnavailable(f"Sending it failed: {type(error).__name__}."))
        metrics.WUZAPI_SENDS.labels("sent").inc()
        await self._settle("settle_sent", send)
        return None

    async def _deliver(self, send: Send) -> None:
        if send.base_url not in self.servers:
            raise ServerUnavailable("The operator does not list this server in CROSSFADE_WUZAPI_URLS.")
        try:
            token = self.secrets.open(send.sealed_token, token_context(send.channel_id)).decode()
        except SecretsError as error:
            raise ServerUnavailable(str(error)) from None
        phone = send.recipient.removesuffix(PHONE_SERVER).removeprefix("+")
        await self.client.send_text(
            base_url=send.base_url, token=token, phone=phone, text=send.content, message_id=send.provider_message_id
        )

    async def _put_off(self, send: Send, reason: ServerUnavailable) -> None:
        """Try again later under the same id; what became of this try may be unknown."""
        if datetime.now(UTC) - send.created_at > self.give_up:
            return await self._fail(send, f"Given up after {self.give_up}: {reason}")
        wished_s = min(reason.retry_after_s or 0.0, MAX_RETRY_AFTER_S)
        wait_s = max(wished_s, min(FIRST_WAIT_S * 2.0 ** min(send.attempts - 1, 16), MAX_WAIT_S))
        rest_s = max(wished_s, min(wait_s, MAX_REST_S))
        metrics.WUZAPI_SENDS.labels("put_off").inc()
        log.info("send put off", message_id=send.message_id, reason=str(reason), wait_s=wait_s, attempts=send.attempts)
        await self._settle("put_back", send, reason=str(reason), wait_s=wait_s, rest_s=rest_s)
        return None

    async def _fail(self, send: Send, reason: str) -> None:
        metrics.WUZAPI_SENDS.labels("failed").inc()
        log.warning("send failed for good", message_id=send.message_id, reason=reason)
        await self._settle("settle_failed", send, reason=reason)

    async def _settle(self, outcome: queue.Outcome, send: Send, **values: object) -> None:
        async with self.pool.connection() as connection:
            await queue.settle(connection, outcome, send, **values)
