"""The worker's thread that wakes consumers in a long poll. Started after the fork, stopped when the worker leaves.

A waiting consumer is a thread asleep: no connection, no query, no processor time. NOTIFY names the account of each
commit, so a commit wakes the consumers of its account only. Accounts share the places, and a client that has hung up
gives its place back.
"""

import contextlib
import select
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol
from uuid import UUID

import psycopg
import structlog
from prometheus_client import Gauge

from gateway.database import connect
from realtime_bridge.shared.shares import Held

CHANNEL = "chat_events"  # the trigger on chat_events notifies it, with the account's id
IDLE_S = 5.0  # without anybody who waits
CHECK_S = 0.5  # how soon a worker that was told to stop lets its waiters go, and a client that left its place
POLL_S = 5.0  # when notifications do not arrive, behind a pooler, say, everybody looks this often
RETRY_S = 0.5  # after a lost connection
JOIN_S = 3.0  # a worker that leaves waits no longer for this thread

_log = structlog.get_logger(__name__)


class Turnstile(Protocol):
    """Where a request has its place among those that work."""

    def step_aside(self) -> None: ...

    def step_in(self) -> None: ...


class Client(Protocol):
    """Who waits: a socket."""

    def fileno(self) -> int: ...


@dataclass(slots=True, eq=False, kw_only=True)
class Waiter:
    """One consumer. `woken_at` is when it was told, on the clock of `monotonic`."""

    among: "EventWaiters"
    may_wait: bool
    client: Client | None
    woken_at: float = 0.0
    _event: threading.Event = field(default_factory=threading.Event)
    _has_left: bool = False

    def wake(self) -> None:
        self.woken_at = monotonic()
        self._event.set()

    def leave(self) -> None:
        """End the wait, because nobody is there to be answered."""
        self._has_left = True
        self._event.set()

    def wait(self, deadline: float) -> bool:
        """Sleep until woken; True when it is worth looking again. False past the deadline or when the worker leaves.

        Where nobody is told anything, it looks again every POLL_S, counted from its own beginning: not all at once.
        """
        if not self.may_wait or self.among.is_stopping():
            return False
        self.among.turnstile.step_aside()
        while not self._event.wait(min(max(0.0, deadline - monotonic()), POLL_S)):
            if monotonic() >= deadline:
                return False
            if not self.among.is_hearing():
                self.woken_at = monotonic()
                break
        self._event.clear()
        if self.among.is_stopping() or self._has_left:
            return False
        self.among.turnstile.step_in()
        return True


class EventWaiters:
    """At most `capacity` consumers wait, in shares by account; one more is answered at once, as if it asked not to."""

    def __init__(self, database_url: str, *, capacity: int, turnstile: Turnstile, gauge: Gauge) -> None:
        self._url = database_url
        self._places = Held(capacity, greed=1)
        self.turnstile = turnstile
        self._gauge = gauge
        self._lock = threading.Lock()
        self._waiters: dict[UUID, set[Waiter]] = {}
        self._heard_at = 0.0
        self._looked_at = 0.0
        self._wanted = threading.Event()
        """Somebody waits, or did a moment ago."""
        self._stopping = threading.Event()
        self.is_stopping = self._stopping.is_set
        self._is_leaving: Callable[[], bool] = lambda: False
        self._thread = threading.Thread(target=self.run, name="event-waiters", daemon=True)

    def start(self, is_leaving: Callable[[], bool] = lambda: False) -> None:
        """`is_leaving` tells that the server wants its requests answered now."""
        self._is_leaving = is_leaving
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._wanted.set()
        self._wake_all()
        if self._thread.is_alive():
            self._thread.join(JOIN_S)

    @contextlib.contextmanager
    def waiting(self, account_id: UUID, wait_s: float, client: Client | None = None) -> Iterator[Waiter]:
        """Register before the first look, so that no commit falls between looking and waiting."""
        may_wait = wait_s > 0 and self._places.take(account_id)
        waiter = Waiter(among=self, may_wait=may_wait, client=client)
        if may_wait:
            with self._lock:
                self._waiters.setdefault(account_id, set()).add(waiter)
                self._wanted.set()
            self._gauge.inc()
        try:
            yield waiter
        finally:
            if may_wait:
                with self._lock:
                    self._waiters[account_id].discard(waiter)
                    if not self._waiters[account_id]:
                        del self._waiters[account_id]
                self._places.give_back(account_id)
                self._gauge.dec()

    @property
    def count(self) -> int:
        return self._places.count

    def is_hearing(self) -> bool:
        """Whether notifications, whosever, do arrive: then nobody need look without one."""
        return monotonic() - self._heard_at < POLL_S

    def run(self) -> None:
        """Listen while somebody waits: nobody is told of commits that nobody wants to hear of."""
        while not self._stopping.is_set():
            if not self._wanted.wait(CHECK_S):
                self._notice_leaving()
                continue
            try:
                self._listen()
            except psycopg.Error as error:
                _log.warning("event_wakeups_lost", error=" ".join(str(error).split()))
                self._let_go()
                self._stopping.wait(RETRY_S)

    def _listen(self) -> None:
        with contextlib.closing(connect(self._url, "crossfade-gateway-events")) as connection:
            connection.execute(psycopg.sql.SQL("listen {}").format(psycopg.sql.Identifier(CHANNEL)))
            self._wake_all()  # whatever was committed while nobody listened
            waited_at = monotonic()
            while not self._stopping.is_set() and self._is_wanted(waited_at):
                accounts = {notify.payload for notify in connection.notifies(timeout=CHECK_S, stop_after=1)}
                if accounts:
                    self._heard_at = monotonic()
                for account in accounts:
                    self._wake(account)
                self._let_go()
                self._notice_leaving()
                if self._waiters:
                    waited_at = monotonic()

    def _is_wanted(self, waited_at: float) -> bool:
        """Whether to go on listening: between two waits of one consumer nobody waits for a moment."""
        with self._lock:
            if not self._waiters and monotonic() > waited_at + IDLE_S:
                self._wanted.clear()
        return self._wanted.is_set()

    def _notice_leaving(self) -> None:
        if self._is_leaving():
            self._stopping.set()
            self._wake_all()

    def _wake(self, account: str) -> None:
        try:
            account_id = UUID(account)
        except ValueError:  # a trigger of an older version
            self._wake_all()
            return
        with self._lock:
            waiters = tuple(self._waiters.get(account_id, ()))
        for waiter in waiters:
            waiter.wake()

    def _let_go(self) -> None:
        """End the waits of clients that have hung up; each CHECK_S, however much there is to hear."""
        if monotonic() < self._looked_at + CHECK_S:
            return
        self._looked_at = monotonic()
        by_descriptor = {waiter.client.fileno(): waiter for waiter in self._all() if waiter.client is not None}
        poll = select.poll()
        for descriptor in by_descriptor:
            if descriptor >= 0:
                poll.register(descriptor, select.POLLRDHUP)
        for descriptor, _ in poll.poll(0):
            by_descriptor[descriptor].leave()

    def _wake_all(self) -> None:
        for waiter in self._all():
            waiter.wake()

    def _all(self) -> list[Waiter]:
        with self._lock:
            return [waiter for some in self._waiters.values() for waiter in some]
