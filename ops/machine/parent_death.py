"""Children that end when their parent does, however that ends. (Linux; elsewhere nothing is promised.)"""

import ctypes
import signal
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None  # loaded before any fork


def signalled_with(number: signal.Signals) -> Callable[[], None]:
    """Return a `preexec_fn` for Popen: the child gets this signal when the *thread* that started it is gone."""

    def ask() -> None:
        if _libc is not None:
            _libc.prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)

    return ask
