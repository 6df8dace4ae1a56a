"""Wait for a condition with a bound; there is no other waiting in the tests."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

Found = TypeVar("Found")


def wait_for(condition: Callable[[], Found], what: str, timeout_s: float = 15.0) -> Found:
    """Return the first truthy result of `condition`; fail naming `what` after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {timeout_s} s for {what}"
        time.sleep(0.02)
    return found


@overload
async def eventually(condition: Callable[[], Awaitable[Found]], what: str, timeout_s: float = ...) -> Found: ...
@overload
async def eventually(condition: Callable[[], Found], what: str, timeout_s: float = ...) -> Found: ...
async def eventually(condition: Callable[[], Found | Awaitable[Found]], what: str, timeout_s: float = 15.0) -> Found:
    """The same on an event loop; `condition` may be a coroutine function."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    while True:
        result = condition()
        found = await result if isinstance(result, Awaitable) else result
        if found:
            return found
        assert asyncio.get_running_loop().time() < deadline, f"waited {timeout_s} s for {what}"
        await asyncio.sleep(0.02)
