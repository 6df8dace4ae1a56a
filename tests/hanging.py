"""Time-outs that fail one test, by its name. A plugin of pytest on top of pytest-timeout; loaded by conftest.py.

The alarm raises in the main thread, in whatever it waits: a sleep, a lock, a thread, an event loop, a fixture. It rings
again until it was heard, for an event loop swallows what is raised in a callback. What hears no alarm (a call into C
that ignores signals) is the guard's: it names the test and ends the run.
"""

import signal
import threading
from typing import Any

import pytest
from pytest_timeout import timeout_sigalrm

from tests import guard

AGAIN_S = 3.0  # long enough for the failure to be on its way out, and then the alarm is off


@pytest.hookimpl(tryfirst=True)
def pytest_timeout_set_timer(item: Any, settings: Any) -> bool | None:
    """Set the alarm for setup, call and teardown; pytest-timeout turns it off at the first failure."""
    guard.tell("begin", f"{settings.timeout:.1f} {item.nodeid}")
    if settings.method != "signal" or threading.current_thread() is not threading.main_thread():
        return None

    def ring(_number: int, _frame: object) -> None:
        timeout_sigalrm(item, settings)

    def cancel() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)

    item.cancel_timeout = cancel
    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, settings.timeout, AGAIN_S)
    return True


def pytest_runtest_logfinish(nodeid: str) -> None:
    guard.tell("end", nodeid)
