"""Parts that a worker starts after its fork, and later stops. Made by `create_app`, driven by gunicorn."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from flask import Flask

from gateway.database import Database
from gateway.fairness.limit_storage import LimitStorage
from gateway.keys.sync import KeySync
from gateway.live.event_waiters import EventWaiters
from gateway.live.provider_choice import ProviderChoice
from gateway.process.heartbeat import Heartbeat
from realtime_bridge.shared.memory import share_arenas

NAME = "crossfade"


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    database: Database
    log: Database
    key_sync: KeySync
    choices: ProviderChoice
    limits: LimitStorage
    event_waiters: EventWaiters
    heartbeat: Heartbeat

    def start(self, is_leaving: Callable[[], bool] = lambda: False) -> None:
        """`is_leaving` tells that the server was told to stop and wants its requests answered."""
        share_arenas()  # before there are other threads
        self.heartbeat.start()
        self.key_sync.start()
        self.choices.start()
        self.event_waiters.start(is_leaving)

    def stop(self) -> None:
        self.event_waiters.stop()
        self.choices.stop()
        self.key_sync.stop()
        self.heartbeat.stop()
        self.log.close()
        self.database.close()
        self.limits.close()

    @classmethod
    def of(cls, app: Flask) -> Self:
        runtime = app.extensions[NAME]
        assert isinstance(runtime, cls)  # noqa: S101 set by create_app
        return runtime


@contextmanager
def running(app: Flask) -> Iterator[Flask]:
    """Run an app within this process, as tests do."""
    runtime = Runtime.of(app)
    runtime.start()
    try:
        yield app
    finally:
        runtime.stop()
