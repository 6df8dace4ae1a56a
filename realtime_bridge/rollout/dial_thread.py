"""The dial for processes without an event loop: gateway workers and whoever uses our OpenFeature provider."""

import asyncio
import contextlib
import threading

from realtime_bridge.rollout.dial.follower import Dial

JOIN_S = 3.0  # who leaves waits no longer for this thread


class DialThread:
    """Runs a dial in a thread of its own between `start` and `stop`; `dial.reading` may be read from any thread."""

    def __init__(self, dial: Dial) -> None:
        self.dial = dial
        self._known = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, name="dial", daemon=True)
        dial.listen(self._known.set)

    def start(self) -> None:
        self._thread.start()

    def wait_until_known(self, timeout_s: float) -> bool:
        """Return whether the dial was read at least once within `timeout_s`."""
        return self._known.wait(timeout_s)

    def stop(self) -> None:
        """End the thread; waits at most JOIN_S."""
        if self._loop is not None and self._task is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                self._loop.call_soon_threadsafe(self._task.cancel)
        if self._thread.is_alive():
            self._thread.join(JOIN_S)

    def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(self._follow())

    async def _follow(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self.dial.run())
        await self._task
