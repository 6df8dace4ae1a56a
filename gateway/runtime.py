"""What a worker starts after it was forked and stops when it leaves. Made by `create_app`, driven by gunicorn."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from flask import Flask

from gateway.db import Database
from gateway.key_sync import KeySync
from gateway.limit_storage import LimitStorage

NAME = "crossfade"


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    database: Database
    key_sync: KeySync
    limits: LimitStorage

    def start(self) -> None:
        self.key_sync.start()

    def stop(self) -> None:
        self.key_sync.stop()
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
