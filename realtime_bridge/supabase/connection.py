"""Connection to Supabase Realtime with up to a hundred private channels. They are kept joined. Used by `seats.py`.

The official client gives up after five retries, forgets a channel for ever on a stale `phx_close`, drops what it cannot
parse ("Server requested disconnect"), and never asks whether the server still answers. So it is told not to reconnect:
this class looks at it a few times a second, pings, bounds every wait, and replaces what is not well.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from realtime import AsyncRealtimeChannel, AsyncRealtimeClient, RealtimeChannelOptions

from realtime_bridge.supabase.seat import RETRY_S, Limits, Seat

log = structlog.get_logger(__name__)

CHANNELS = 100  # Supabase's own limit for one connection
CONNECT_TIMEOUT_S = 5
JOIN_TIMEOUT_S = 6.0  # a refused private join is answered after five seconds
SEND_TIMEOUT_S = 2.0  # a socket that takes nothing is not waited for: others have signs to send
STEP_TIMEOUT_S = 10.0  # one round of joins and tokens; a round that hangs is the end of the connection
CHECK_S = 0.1  # how soon a dead socket or channel is noticed
NOT_JOINED = "realtime channel not joined; trying on"
STUBBORN = 4  # refusals in a row, in some two seconds: a project that wakes up refuses the first ones
PING_EVERY_S = 4.0
PING_TIMEOUT_S = 4.0  # a server that stands still answers no ping; its socket would look well for minutes
TOKEN_TTL_S = 3_600
TOKEN_RENEW_S = TOKEN_TTL_S / 2


@dataclass(slots=True, kw_only=True)
class Connection:
    """Runs until cancelled. `seats` may be changed at any time; the socket follows."""

    url: str
    key: str
    token: Callable[[], str]
    """Makes a fresh token, good for TOKEN_TTL_S: as whom the bridge sits there."""
    limits: Limits
    seats: dict[str, Seat] = field(default_factory=dict)
    is_connected: bool = False
    _retries: int = 0

    async def run(self) -> None:
        while True:
            client = AsyncRealtimeClient(
                self.url, self.key, auto_reconnect=False, max_retries=1, timeout=CONNECT_TIMEOUT_S
            )
            try:
                await asyncio.wait_for(client.connect(), CONNECT_TIMEOUT_S + 1)
                await self._keep(client)
            except Exception as error:  # noqa: BLE001 - the client lets its library's and its own errors through
                log.info("realtime connection not available", error=f"{type(error).__name__}: {error}".rstrip(": "))
            finally:
                self.is_connected = False
                await self._drop(client)
            delay_s = RETRY_S[min(self._retries, len(RETRY_S) - 1)]
            self._retries += 1
            await asyncio.sleep(delay_s)

    async def send(self, topic: str, event: str, payload: Mapping[str, Any]) -> bool:
        """Broadcast to a joined channel; False when it is not joined. Nobody promises that it arrives."""
        seat = self.seats.get(topic)
        if seat is None or seat.channel is None or not seat.is_joined:
            return False
        return await _sent(seat.channel.send_broadcast(event, dict(payload)))

    async def _keep(self, client: AsyncRealtimeClient) -> None:
        """Serve the seats until the socket is not well; returns or raises then."""
        pinging = asyncio.create_task(_ping(client))
        renew_at = float("-inf")
        try:
            while _is_alive(client) and not pinging.done():
                async with asyncio.timeout(STEP_TIMEOUT_S):
                    if time.monotonic() > renew_at:
                        await client.set_auth(self.token())
                        renew_at = time.monotonic() + TOKEN_RENEW_S
                        self.is_connected, self._retries = True, 0
                    await self._reconcile(client)
                    await self._track()
                await asyncio.sleep(CHECK_S)
        finally:
            pinging.cancel()
            await asyncio.gather(pinging, return_exceptions=True)

    async def _reconcile(self, client: AsyncRealtimeClient) -> None:
        lost = next((seat.topic for seat in self.seats.values() if seat.was_joined and not seat.is_joined), None)
        if lost:  # joined twice on one socket, the client takes the server's goodbye to the first for the second's
            raise ConnectionError(f"The channel {lost} was closed.")
        now = time.monotonic()
        wanted = {f"realtime:{topic}" for topic in self.seats}
        for channel in [channel for topic, channel in client.channels.items() if topic not in wanted]:
            await channel.unsubscribe()
            client._remove_channel(channel)  # noqa: SLF001 - the public way closes the socket with its last channel
        missing = [seat for seat in self.seats.values() if not seat.is_joined and seat.not_before <= now]
        allowed = [seat for seat in missing if self.limits.joins.take()]
        await asyncio.gather(*(self._join(client, seat) for seat in allowed))

    async def _track(self) -> None:
        """Say what each seat stands for, when that has changed and as often as Supabase allows."""
        for seat in list(self.seats.values()):
            if seat.is_joined and seat.channel and seat.must_track and self.limits.tracks.take():
                state = seat.begin_tracking()
                if state and not await _sent(seat.channel.track(state)):
                    seat.tracked = None

    async def _join(self, client: AsyncRealtimeClient, seat: Seat) -> None:
        """Join anew: a channel object that failed once is not used again."""
        if seat.channel is not None:
            _forget(client, seat.channel)
        options: RealtimeChannelOptions = {
            "config": {
                "private": True,
                "broadcast": {"ack": False, "self": False},
                "presence": {"key": seat.key, "enabled": seat.on_people is not None},
            }
        }
        channel = client.channel(seat.topic, options)
        channel.on_broadcast("*", lambda message: seat.receive(message["event"], message["payload"]))
        if on_people := seat.on_people:
            channel.on_presence_sync(lambda: on_people(channel.presence_state()))
        seat.channel = channel
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(channel.subscribe(), JOIN_TIMEOUT_S)
        if channel.is_joined:
            seat.joined()
            return
        _forget(client, channel)
        seat.refused(time.monotonic())
        if seat.failures == STUBBORN:
            log.warning(NOT_JOINED, topic=seat.topic, refusals=seat.failures)

    async def _drop(self, client: AsyncRealtimeClient) -> None:
        for seat in self.seats.values():
            seat.lost()
        with contextlib.suppress(Exception):
            await asyncio.wait_for(client.close(), 1.0)


async def _ping(client: AsyncRealtimeClient) -> None:
    """Ping until the server does not answer in time, which is an error, or the socket is closed."""
    while socket := client._ws_connection:  # noqa: SLF001 - there is no public way to ask the server anything
        async with asyncio.timeout(PING_TIMEOUT_S):
            await (await socket.ping())
        await asyncio.sleep(PING_EVERY_S)


async def _sent(sending: Coroutine[Any, Any, Any]) -> bool:
    """Return whether it went out in time; who runs the connection replaces it if it is not well."""
    try:
        await asyncio.wait_for(sending, SEND_TIMEOUT_S)
    except Exception as error:  # noqa: BLE001 - the client lets its library's and its own errors through
        log.info("realtime message not sent", error=f"{type(error).__name__}: {error}".rstrip(": "))
        return False
    return True


def _is_alive(client: AsyncRealtimeClient) -> bool:
    """Whether it is connected and also reads: what its reading task breaks on is told to nobody."""
    reading = client._listen_task  # noqa: SLF001 - there is no public way to know
    return client.is_connected and reading is not None and not reading.done()


def _forget(client: AsyncRealtimeClient, channel: AsyncRealtimeChannel) -> None:
    channel.rejoin_timer.reset()
    client._remove_channel(channel)  # noqa: SLF001 - see above
