"""Fan-out of frames to the sockets of every bridge. Called by the sink (stored events) and by the sockets (typing).

One bridge needs none of this: `Fanout`. Several share a Redis *stream*, not pub/sub, and not the library's own
manager, which swallows a failed publish. What is promised:
- A batch is one stream entry, so it is stored as a whole or not at all. If Redis does not take it, `publish` raises and
  *no* socket has been sent anything, those of this process included: the retry is nobody's repeat.
- If Redis took it but the answer was lost, the retry is a repeat, under the same eventIds.
- Readers continue where they stopped, so a Redis that is away for a while costs time, not frames.
- Each publisher numbers its batches. A reader that finds a number missing (the stream was trimmed or wiped while it was
  away) or cannot read a numbered batch (whoever wrote it) has its sockets told from the log what may be missing.
- Bridges of neighbouring versions read each other. The items of `emits` keep the keys they began with, for the first
  readers refuse any other; what came later (`members`) is a field of the entry of its own, which they ignore.
- A stream that takes no entries any more is begun anew, and readers find its beginning.
An entry that is not ours is skipped with one log line.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast
from uuid import uuid4

import structlog
from cachetools import LRUCache
from pydantic import TypeAdapter
from redis.exceptions import ResponseError

from realtime_bridge.legacy.fanout.local import Fanout, FanoutUnavailable, Here
from realtime_bridge.legacy.fanout.redis_stream import BEGIN_ANEW, NOWHERE, STREAM, UNUSABLE, end_of_stream, position
from realtime_bridge.legacy.frame import Emit, Number
from realtime_bridge.legacy.redis_client import BROKEN, connect

log = structlog.get_logger(__name__)

STREAM_ENTRIES = 2_000  # some 4 MB; at 100 messages/s a reader may be away for 20 s
PUBLISH_TIMEOUT_S = 2.0  # a Redis that takes longer is down as far as the breaker is concerned
BLOCK_MS = 2_000  # a reader's longest wait; also how long a silent loss of the connection can go unnoticed
READ_ENTRIES = 50
READ_AGAIN_S = 30.0  # of a stream that was begun anew: longer than it can go unnoticed; repeats are not heard
CATCH_UP_S = 1.0  # a subscriber waits no longer for this process to read on
ASK_PAUSE_S = 0.005  # subscribers of a storm share a question for the stream's end
REST_S = 2.0  # after a question without an answer, subscribers go on without
STOP_POLL_S = 0.05
PUBLISHERS = 1_000  # whose last number is remembered; one for each start of a bridge, and whatever else writes there
NUMBER = TypeAdapter(Number)
_EMITS = TypeAdapter(list[Emit])
ITEM = ("event", "data", "rooms", "conversation_id", "seq")
"""What every version reads; a key more and the first version refuses it."""
RETRY_S = (0.1, 0.2, 0.5, 1.0)  # the last one repeats


class RedisFanout(Fanout):
    """For bridges that share a Redis."""

    def __init__(self, rooms: Here, redis_url: str, on_gap: Callable[[], Awaitable[None]]) -> None:
        super().__init__(rooms)
        self.is_ready = False
        self._on_gap = on_gap
        self._writer = connect(redis_url, PUBLISH_TIMEOUT_S)
        self._reader = connect(redis_url, BLOCK_MS / 1_000 + PUBLISH_TIMEOUT_S)
        self._publisher = uuid4().hex
        self._published = 0
        self._order = asyncio.Lock()  # this process sends to its own sockets in the order of the stream
        self._place: str | None = None
        self._seen: LRUCache[str, int] = LRUCache(PUBLISHERS)
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
        await super().publish_unstored(emit, skip_sid=skip_sid)
        with contextlib.suppress(FanoutUnavailable):
            await self._append({}, [emit])

    async def catch_up(self) -> bool:
        """A client that comes from another bridge has heard what was published there; here it goes on after that."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CATCH_UP_S):
                before = self._place or NOWHERE
                end = await self._ask_end()
                while end is not None and position(self._place or NOWHERE) < position(end):
                    await self._moved.wait()
                return end is not None and position(before) <= position(end)  # else it was begun anew
        return False

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
        streams = await self._reader.xread({STREAM: self._place or NOWHERE}, count=READ_ENTRIES, block=BLOCK_MS)
        news = streams[0][1] if streams else []
        is_filled = False  # once for all of them: what lies in the stream by now is in the log
        for entry_id, fields in news:
            if not await self._take(fields) and not is_filled:
                await self._fill()
                is_filled = True
            self._place = entry_id.decode()
        self._moved.set()
        self._moved = asyncio.Event()
        if not news:
            await self._find_place()
        return len(news)

    async def _fill(self) -> None:
        async with self._order:
            await self._on_gap()

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
                return await end_of_stream(self._writer)
        except BROKEN:
            self._ask_from = asyncio.get_running_loop().time() + REST_S
            return None

    async def _find_place(self) -> None:
        """Learn where to read on, and whether the stream has moved under its reader."""
        end = await end_of_stream(self._reader)
        if self._place is None:
            self._place = end
        elif position(end) < position(self._place):  # wiped, or begun anew: ids are the time, if nobody made them up
            self._place = min(self._place, await self._recent(), key=position)
        elif end != self._place and not await self._reader.xrange(STREAM, min=f"({self._place}", count=1):
            log.warning("legacy fan-out was trimmed before it was read")
            self._place = end
            await self._fill()
        if not self.is_ready:
            log.info("legacy fan-out is ready", stream=STREAM)
        self.is_ready = True

    async def _recent(self) -> str:
        """Return the id that an entry of READ_AGAIN_S ago has, by Redis' clock."""
        seconds, _ = await self._reader.time()
        return f"{int((seconds - READ_AGAIN_S) * 1_000)}-0"

    async def _append(self, fields: dict[str, str], emits: Sequence[Emit]) -> None:
        entry: dict[Any, Any] = {"publisher": self._publisher, **fields_of(emits), **fields}
        try:
            async with asyncio.timeout(PUBLISH_TIMEOUT_S):
                try:
                    await self._writer.xadd(STREAM, entry, maxlen=STREAM_ENTRIES, approximate=True)
                except ResponseError as error:
                    if not any(word in str(error) for word in UNUSABLE):
                        raise
                    log.warning("legacy fan-out begins its stream anew", stream=STREAM, error=str(error))
                    words = (word for pair in entry.items() for word in pair)
                    await cast(Any, self._writer.eval(BEGIN_ANEW, 1, STREAM, STREAM_ENTRIES, *words))
        except BROKEN as error:
            raise FanoutUnavailable(f"Redis did not take the batch: {_named(error)}") from None

    async def _take(self, fields: dict[bytes, bytes]) -> bool:
        """Send what another bridge published; False when stored events may be missing, and then nothing is sent."""
        publisher, batch = "", 0
        try:
            publisher, batch = fields[b"publisher"].decode(), NUMBER.validate_python(fields.get(b"batch", 0))
            if publisher == self._publisher:
                return True
            seen = self._seen.get(publisher, batch)
            emits = emits_of(fields)
            if batch:
                self._seen[publisher] = batch
            if batch > seen + 1:
                log.warning("legacy fan-out lost entries", publisher=publisher, lost=batch - seen - 1)
                return False
            for emit in emits:
                await self._rooms.deliver(emit)
        except Exception as error:  # noqa: BLE001 - whatever it is, one bad entry must not end the reading of all others
            log.warning("legacy fan-out cannot read an entry", publisher=publisher, batch=batch, error=_named(error))
            if batch:
                self._seen[publisher] = batch
            return not batch
        return True


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")


def fields_of(emits: Sequence[Emit]) -> dict[str, str]:
    items = [{name: getattr(emit, name) for name in ITEM} for emit in emits]
    return {"emits": _json(items), "members": _json([emit.members for emit in emits])}


def emits_of(fields: dict[bytes, bytes]) -> list[Emit]:
    """Raises KeyError, TypeError, ValueError or RecursionError for what is no entry of ours."""
    items = json.loads(fields[b"emits"])
    members = json.loads(fields[b"members"]) if b"members" in fields else [None] * len(items)
    return _EMITS.validate_python([item | {"members": one} for item, one in zip(items, members, strict=True)])


def _json(value: Any) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))
