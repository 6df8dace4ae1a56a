"""How frames reach the sockets of every bridge. Called by the sink (stored events) and by the sockets (typing).

One bridge needs none of this: `LocalFanout`. Several share a Redis *stream*, not pub/sub, and not the library's own
manager, which swallows a failed publish. What is promised:
- A batch is one stream entry, so it is stored as a whole or not at all. If Redis does not take it, `publish` raises and
  *no* socket has been sent anything, those of this process included: the retry is nobody's repeat.
- If Redis took it but the answer was lost, the retry is a repeat, under the same eventIds.
- Readers continue where they stopped, so a Redis that is away for a while costs time, not frames.
- Each publisher numbers its batches. A reader that finds a number missing (the stream was trimmed or wiped while it was
  away) or cannot read a numbered batch (a bridge of another version wrote it) drops its sockets: their clients
  reconnect, subscribe again and catch up from the log.
- Bridges of neighbouring versions read each other (entries.py).
An entry that is not ours is skipped with one log line.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol
from uuid import uuid4

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from realtime_bridge.legacy import entries
from realtime_bridge.legacy.dialects import Emit
from realtime_bridge.legacy.redis_client import BROKEN, connect
from realtime_bridge.legacy.rooms import Rooms

log = structlog.get_logger(__name__)

STREAM = "crossfade.legacy"
STREAM_ENTRIES = 2_000  # some 4 MB; at 100 messages/s a reader may be away for 20 s
PUBLISH_TIMEOUT_S = 2.0  # a Redis that takes longer is down as far as the breaker is concerned
BLOCK_MS = 2_000  # a reader's longest wait; also how long a silent loss of the connection can go unnoticed
READ_ENTRIES = 50
LEARNED_ENTRIES = 50  # a bridge that starts knows what was told last: at most some thousand events,
LEARNED_S = 30.0  # and of the last seconds only, for a stream may outlive its database
CATCH_UP_S = 1.0  # a subscriber waits no longer for this process to read on
ASK_PAUSE_S = 0.005  # subscribers of a storm share a question for the stream's end
REST_S = 2.0  # after a question without an answer, subscribers go on without
STOP_POLL_S = 0.05
RETRY_S = (0.1, 0.2, 0.5, 1.0)  # the last one repeats


class FanoutUnavailable(Exception):
    """The batch was not published, or it is not known that it was; nothing of it was sent from this process."""


class Fanout(Protocol):
    is_ready: bool
    """Whether frames published from now on will reach this process's sockets; none are accepted before."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...

    async def publish(self, emits: Sequence[Emit]) -> None:
        """Send stored events' frames to every bridge's sockets, in order. Raises FanoutUnavailable."""

    async def publish_unstored(self, emit: Emit, *, skip_sid: str) -> None:
        """Send a frame that may be lost (typing), to all but one socket of this process. Raises nothing."""

    async def catch_up(self) -> None:
        """Return when this process has sent on what was published before the call; bounded. Raises nothing."""


class LocalFanout:
    """For a bridge that is alone."""

    is_ready = True

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    async def start(self) -> None:
        return None

    async def stop(self) -> None:
        return None

    async def publish(self, emits: Sequence[Emit]) -> None:
        for emit in emits:
            await self._rooms.deliver(emit)

    async def publish_unstored(self, emit: Emit, *, skip_sid: str) -> None:
        await self._rooms.deliver(emit, skip_sid=skip_sid)

    async def catch_up(self) -> None:
        return None


class RedisFanout:
    """For bridges that share a Redis."""

    def __init__(self, rooms: Rooms, redis_url: str, on_gap: Callable[[], Awaitable[None]]) -> None:
        self.is_ready = False
        self._rooms = rooms
        self._on_gap = on_gap
        self._writer = connect(redis_url, PUBLISH_TIMEOUT_S)
        self._reader = connect(redis_url, BLOCK_MS / 1_000 + PUBLISH_TIMEOUT_S)
        self._publisher = uuid4().hex
        self._published = 0
        self._order = asyncio.Lock()  # this process sends to its own sockets in the order of the stream
        self._place: str | None = None
        self._seen: dict[str, int] = {}
        self._moved = asyncio.Event()
        self._question: asyncio.Task[str | None] | None = None
        self._ask_from = float("-inf")
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to read; returns when the place in the stream is known, or at the first failure to learn it."""
        with contextlib.suppress(*BROKEN):
            await self._find_place()
        self._task = asyncio.create_task(self.run())

    async def stop(self) -> None:
        while self._task and not self._task.done():  # `wait_for` before Python 3.12, in redis-py, can swallow a cancel
            self._task.cancel()
            await asyncio.wait([self._task], timeout=STOP_POLL_S)
        for client in (self._writer, self._reader):
            with contextlib.suppress(*BROKEN):
                await client.aclose()

    async def publish(self, emits: Sequence[Emit]) -> None:
        if not emits:
            return
        async with self._order:
            await self._append({"batch": str(self._published + 1)}, emits)
            self._published += 1
            for emit in emits:
                await self._rooms.deliver(emit)

    async def publish_unstored(self, emit: Emit, *, skip_sid: str) -> None:
        await self._rooms.deliver(emit, skip_sid=skip_sid)
        with contextlib.suppress(FanoutUnavailable):
            await self._append({}, [emit])

    async def catch_up(self) -> None:
        """A client that comes from another bridge has heard what was published there; here it goes on after that."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CATCH_UP_S):
                end = await self._ask_end()
                while end is not None and _position(self._place or "0-0") < _position(end):
                    await self._moved.wait()

    async def run(self) -> None:
        """Read the stream until cancelled; survives every failure of Redis."""
        failures = 0
        while True:
            try:
                await self._find_place()
                while True:
                    await self.run_once()
                    failures = 0
            except BROKEN as error:
                if failures == 0:
                    log.warning("legacy fan-out cannot read from Redis", error=_named(error))
                await asyncio.sleep(RETRY_S[min(failures, len(RETRY_S) - 1)])
                failures += 1

    async def run_once(self) -> int:
        """Wait for the next entries, up to BLOCK_MS, and send what other bridges published."""
        streams = await self._reader.xread({STREAM: self._place or "0-0"}, count=READ_ENTRIES, block=BLOCK_MS)
        news = streams[0][1] if streams else []
        for entry_id, fields in news:
            try:
                await self._take(fields)
            except Exception:  # one bad entry must not end the reading of all others
                log.exception("legacy fan-out broke on an entry")
            self._place = entry_id.decode()
        self._moved.set()
        self._moved = asyncio.Event()
        return len(news)

    async def _ask_end(self) -> str | None:
        """Return where the stream ends, from Redis; None when it does not say."""
        if asyncio.get_running_loop().time() < self._ask_from:
            return None
        self._question = self._question or asyncio.create_task(self._ask())
        return await asyncio.shield(self._question)

    async def _ask(self) -> str | None:
        await asyncio.sleep(ASK_PAUSE_S)
        self._question = None  # whoever comes from here on needs a later answer
        try:
            async with asyncio.timeout(CATCH_UP_S):
                return await _end_of_stream(self._writer)
        except BROKEN:
            self._ask_from = asyncio.get_running_loop().time() + REST_S
            return None

    async def _find_place(self) -> None:
        """Learn where to read on. A stream that ends before our place was wiped or restored: follow its end."""
        end = await _end_of_stream(self._reader)
        if self._place is None:
            await self._learn(end)
        self._place = end if self._place is None else min(self._place, end, key=_position)
        if not self.is_ready:
            log.info("legacy fan-out is ready", stream=STREAM)
        self.is_ready = True

    async def _learn(self, end: str) -> None:
        """Note what was told before this bridge began to read, and tell no repeat of it to those who heard it."""
        seconds, _ = await self._reader.time()
        since = int((seconds - LEARNED_S) * 1_000)
        told = await self._reader.xrevrange(STREAM, max=end, min=since, count=LEARNED_ENTRIES)
        for _, fields in reversed(told):
            with contextlib.suppress(KeyError, TypeError, ValueError, RecursionError):
                if b"batch" in fields:
                    for emit in entries.emits_of(fields):
                        self._rooms.marks.note(emit)

    async def _append(self, fields: dict[str, str], emits: Sequence[Emit]) -> None:
        entry: dict[Any, Any] = {
            "publisher": self._publisher,
            **entries.fields_of(emits),
            **fields,
        }
        try:
            async with asyncio.timeout(PUBLISH_TIMEOUT_S):
                await self._writer.xadd(STREAM, entry, maxlen=STREAM_ENTRIES, approximate=True)
        except BROKEN as error:
            raise FanoutUnavailable(f"Redis did not take the batch: {_named(error)}") from None

    async def _take(self, fields: dict[bytes, bytes]) -> None:
        try:
            publisher, batch = fields[b"publisher"].decode(), int(fields.get(b"batch", 0))
        except (KeyError, ValueError) as error:
            log.warning("legacy fan-out skipped an entry that is not ours", error=_named(error))
            return
        if publisher == self._publisher:
            return
        try:
            emits = entries.emits_of(fields)
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            await self._miss(publisher, batch, error)
            return
        if batch:
            await self._check_gap(publisher, batch)
        for emit in emits:
            await self._rooms.deliver(emit)

    async def _miss(self, publisher: str, batch: int, error: Exception) -> None:
        """Pass over what cannot be read; stored events among it are a gap, what was never stored may be lost."""
        if not batch:
            log.warning("legacy fan-out skipped an entry that is not ours", error=_named(error))
            return
        self._seen[publisher] = batch
        log.warning(
            "legacy fan-out cannot read a batch, dropping sockets",
            publisher=publisher,
            batch=batch,
            error=_named(error),
        )
        await self._on_gap()

    async def _check_gap(self, publisher: str, batch: int) -> None:
        seen = self._seen.get(publisher)
        self._seen[publisher] = batch
        if seen is not None and batch > seen + 1:
            log.warning("legacy fan-out lost entries, dropping sockets", publisher=publisher, lost=batch - seen - 1)
            await self._on_gap()


async def _end_of_stream(client: Redis) -> str:
    try:
        return str((await client.xinfo_stream(STREAM))["last-generated-id"].decode())
    except RedisError as error:
        if "no such key" not in str(error):
            raise
        return "0-0"


def _position(entry_id: str) -> tuple[int, int]:
    milliseconds, _, number = entry_id.partition("-")
    return int(milliseconds), int(number or 0)


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")
