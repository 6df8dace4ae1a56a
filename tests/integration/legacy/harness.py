"""One bridge's legacy side as it runs: the ASGI app under a real uvicorn, in a thread, over a real Postgres."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any, TypeVar
from uuid import UUID

import uvicorn
from starlette.types import Receive, Scope, Send

from realtime_bridge.event_log.event import Event
from realtime_bridge.legacy.cards import StoredCards
from realtime_bridge.legacy.frame import Emit
from realtime_bridge.legacy.sink import LegacySink
from realtime_bridge.legacy.socketio.packets import MAX_FRAME_BYTES
from realtime_bridge.legacy.socketio.server import LegacyServer
from realtime_bridge.network.door import StallGuard
from realtime_bridge.relay.sink import Delivery
from realtime_bridge.shared import database
from realtime_bridge.shared.database import Pool
from realtime_bridge.shared.tokens import TokenVerifier, mint_user_token

SECRET = "a-secret-of-the-tests-that-is-long-enough"
START_TIMEOUT_S = 20.0
CALL_TIMEOUT_S = 30.0

Result = TypeVar("Result")


def token(user_id: UUID, ttl_s: int = 600, secret: str = SECRET) -> str:
    return mint_user_token(secret, user_id, ttl_s)


class QuickStallGuard(StallGuard):
    stall_timeout_s = 1.0


class Bridge:
    """Runs between `start` and `stop`; `url` is where clients connect. Methods may be called from the test's thread."""

    server: LegacyServer
    sink: LegacySink
    pool: Pool
    listener: socket.socket
    url: str

    def __init__(self, database_url: str, redis_url: str | None = None, **options: Any) -> None:
        self._database_url = database_url
        self._options = {"redis_url": redis_url, **options}
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> "Bridge":
        self._thread.start()
        assert self._started.wait(START_TIMEOUT_S)
        if self._failure:
            raise self._failure
        return self

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(START_TIMEOUT_S)
        assert not self._thread.is_alive()

    def call(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(CALL_TIMEOUT_S)

    def deliver(self, events: Sequence[Event]) -> Delivery:
        return self.call(self.sink.deliver(events, None))

    def publish(self, *emits: Emit) -> None:
        self.call(self.server.publish(emits))

    def line_count_falls_to(self, wanted: int) -> bool:
        """Wait until that many TCP connections are left."""
        deadline = time.monotonic() + CALL_TIMEOUT_S
        while len(self._web.server_state.connections) > wanted:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            self._failure = error
            self._started.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        pool = self.pool = database.pool(self._database_url, name="test", size=4)
        await pool.open()
        self.server = self._create(pool)
        self.sink = LegacySink(self.server, StoredCards(pool), reconnect_grace_s=0)
        await self.server.start()
        running = asyncio.create_task(self.server.run())
        config = uvicorn.Config(
            self.server.around(_elsewhere),
            port=0,
            log_config=None,
            access_log=False,
            ws=QuickStallGuard,
            ws_max_size=MAX_FRAME_BYTES,
            lifespan="off",
            timeout_graceful_shutdown=3,
        )
        web = self._web = _QuietServer(config)
        serving = asyncio.create_task(web.serve())
        while not web.started and not serving.done():  # noqa: ASYNC110 - uvicorn says it only so
            await asyncio.sleep(0.01)
        self.listener = web.servers[0].sockets[0]
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self._started.set()
        await self._stopping.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await self.server.stop()
        web.should_exit = True
        await serving
        await pool.close()

    def _create(self, pool: Pool) -> LegacyServer:
        return LegacyServer(pool, "test", **{"verifier": TokenVerifier(SECRET), **self._options})


class _QuietServer(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to the test's own thread."""
        yield


async def _elsewhere(scope: Scope, receive: Receive, send: Send) -> None:
    """What is not the sockets' path."""
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})
