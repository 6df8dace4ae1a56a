"""One socket to Supabase Realtime with up to a hundred private channels, kept joined. Used by `seats.py`.

The official client gives up after five retries, and forgets a channel for ever on a stale `phx_close`. So it is told
not to reconnect at all: this class looks at it a few times a second and replaces what is not well.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from realtime import AsyncRealtimeChannel, AsyncRealtimeClient, RealtimeChannelOptions

log = structlog.get_logger(__name__)

CHANNELS = 100  # Supabase's own limit for one connection
CONNECT_TIMEOUT_S = 5
JOIN_TIMEOUT_S = 6.0  # a refused private join is answered after five seconds
CHECK_S = 0.1  # how soon a dead socket or channel is noticed
RETRY_S = (0.25, 0.5, 1.0, 2.0)  # the last one repeats: who is back must not be taken for away
TOKEN_TTL_S = 3_600
TOKEN_RENEW_S = TOKEN_TTL_S / 2
JOINS_AT_ONCE = 10  # a new connection must not spend the project's joins per second in one go

Receive = Callable[[str, Mapping[str, Any]], None]
"""Called with the event's name and its payload. Must not block, and must not raise."""
OnPeople = Callable[[Mapping[str, Sequence[Mapping[str, Any]]]], None]
"""Called with what each presence key tracks, whenever that changes."""


@dataclass(slots=True, kw_only=True)
class Seat:
    """A channel that somebody wants to sit in."""

    topic: str
    receive: Receive
    on_people: OnPeople | None = None
    channel: AsyncRealtimeChannel | None = None
    was_joined: bool = False
    failures: int = 0
    not_before: float = 0.0

    @property
    def is_joined(self) -> bool:
        return self.channel is not None and self.channel.is_joined


@dataclass(slots=True, kw_only=True)
class Connection:
    """Runs until cancelled. `seats` may be changed at any time; the socket follows."""

    url: str
    key: str
    token: Callable[[], str]
    """Makes a fresh token, good for TOKEN_TTL_S: as whom the bridge sits there."""
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
                await client.set_auth(self.token())
                self.is_connected, self._retries = True, 0
                renew_at = time.monotonic() + TOKEN_RENEW_S
                while _is_alive(client):
                    if time.monotonic() > renew_at:
                        await client.set_auth(self.token())
                        renew_at = time.monotonic() + TOKEN_RENEW_S
                    await self._reconcile(client)
                    await asyncio.sleep(CHECK_S)
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
        try:
            await seat.channel.send_broadcast(event, payload)
        except Exception as error:  # noqa: BLE001 - as above; whoever runs the connection replaces it
            log.info("realtime broadcast not sent", error=f"{type(error).__name__}: {error}".rstrip(": "))
            return False
        return True

    async def track(self, topic: str, state: Mapping[str, Any]) -> bool:
        """Say in a joined channel's presence what the bridge stands for; False when it is not joined."""
        seat = self.seats.get(topic)
        if seat is None or seat.channel is None or not seat.is_joined:
            return False
        with contextlib.suppress(Exception):
            await seat.channel.track(dict(state))
            return True
        return False

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
        await asyncio.gather(*(self._join(client, seat) for seat in missing[:JOINS_AT_ONCE]))

    async def _join(self, client: AsyncRealtimeClient, seat: Seat) -> None:
        """Join anew: a channel object that failed once is not used again."""
        if seat.channel is not None:
            _forget(client, seat.channel)
        options: RealtimeChannelOptions = {
            "config": {"private": True, "broadcast": {"ack": False, "self": False}, "presence": None}
        }
        channel = client.channel(seat.topic, options)
        channel.on_broadcast("*", lambda message: seat.receive(message["event"], message["payload"]))
        if on_people := seat.on_people:
            channel.on_presence_sync(lambda: on_people(channel.presence_state()))
        seat.channel = channel
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(channel.subscribe(), JOIN_TIMEOUT_S)
        if channel.is_joined:
            seat.was_joined, seat.failures = True, 0
            return
        _forget(client, channel)
        seat.not_before = time.monotonic() + RETRY_S[min(seat.failures, len(RETRY_S) - 1)]
        seat.failures += 1

    async def _drop(self, client: AsyncRealtimeClient) -> None:
        for seat in self.seats.values():
            seat.channel, seat.was_joined, seat.not_before = None, False, 0.0
        with contextlib.suppress(Exception):
            await asyncio.wait_for(client.close(), 1.0)


def _is_alive(client: AsyncRealtimeClient) -> bool:
    """Whether it is connected and also reads: what its reading task breaks on is told to nobody."""
    reading = client._listen_task  # noqa: SLF001 - there is no public way to know
    return client.is_connected and reading is not None and not reading.done()


def _forget(client: AsyncRealtimeClient, channel: AsyncRealtimeChannel) -> None:
    channel.rejoin_timer.reset()
    client._remove_channel(channel)  # noqa: SLF001 - see above
