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
- Bridges of neighbouring versions read each other. The items of `emits` keep the keys they began with, because the
  first readers refuse any other; what came later is a field of the entry of its own, which they do not look at.
An entry that is not ours is skipped with one log line.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol
from uuid import uuid4

import structlog
from redis.exceptions import RedisError

from realtime_bridge.legacy.dialects import Emit
from realtime_bridge.legacy.redis_client import BROKEN, connect
from realtime_bridge.legacy.rooms import Rooms

log = structlog.get_logger(__name__)

STREAM = "crossfade.legacy"
STREAM_ENTRIES = 2_000  # some 4 MB; at 100 messages/s a reader may be away for 20 s
PUBLISH_TIMEOUT_S = 2.0  # a Redis that takes longer is down as far as the breaker is concerned
BLOCK_MS = 2_000  # a reader's longest wait; also how long a silent loss of the connection can go unnoticed
READ_ENTRIES = 50
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
        entries = streams[0][1] if streams else []
        for entry_id, fields in entries:
            try:
                await self._take(fields)
            except Exception:  # one bad entry must not end the reading of all others
                log.exception("legacy fan-out broke on an entry")
            self._place = entry_id.decode()
        return len(entries)

    async def _find_place(self) -> None:
        """Learn where to read on. A stream that ends before our place was wiped or restored: follow its end."""
        try:
            end = (await self._reader.xinfo_stream(STREAM))["last-generated-id"].decode()
        except RedisError as error:
            if "no such key" not in str(error):
                raise
            end = "0-0"
        self._place = end if self._place is None else min(self._place, end, key=_position)
        if not self.is_ready:
            log.info("legacy fan-out is ready", stream=STREAM)
        self.is_ready = True

    async def _append(self, fields: dict[str, str], emits: Sequence[Emit]) -> None:
        entry: dict[Any, Any] = {
            "publisher": self._publisher,
            "emits": _json([_item(emit) for emit in emits]),
            "members": _json([emit.members for emit in emits]),
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
            emits = _emits(fields)
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


def _item(emit: Emit) -> dict[str, Any]:
    """Return the part that every version reads; a key more and the first version refuses it."""
    return {
        "event": emit.event,
        "data": emit.data,
        "rooms": emit.rooms,
        "conversation_id": emit.conversation_id,
        "seq": emit.seq,
    }


def _emits(fields: dict[bytes, bytes]) -> list[Emit]:
    items = json.loads(fields[b"emits"])
    members = json.loads(fields[b"members"]) if b"members" in fields else [None] * len(items)
    return [_emit(item, of_item) for item, of_item in zip(items, members, strict=True)]


def _emit(item: dict[str, Any], members: list[str] | None) -> Emit:
    if not isinstance(members, list | None) or not all(isinstance(member, str) for member in members or ()):
        raise TypeError("not the members of an emit")
    emit = Emit(
        event=item["event"],
        data=item["data"],
        rooms=tuple(item["rooms"]),
        conversation_id=item["conversation_id"],
        seq=item.get("seq"),
        members=None if members is None else tuple(members),
    )
    if not isinstance(emit.event, str) or not isinstance(emit.data, dict) or not isinstance(emit.conversation_id, int):
        raise TypeError("not an emit")
    if not emit.rooms or not all(isinstance(room, str) for room in emit.rooms) or not isinstance(emit.seq, int | None):
        raise TypeError("not an emit")
    return emit


def _json(value: Any) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def _position(entry_id: str) -> tuple[int, int]:
    milliseconds, _, number = entry_id.partition("-")
    return int(milliseconds), int(number or 0)


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")
