"""gunicorn's own messages as structured lines. Its access log is off: the first gate writes a better one."""

import os
from typing import Any

from gunicorn.glogging import Logger  # type: ignore[import-untyped]

from gateway.settings import Settings
from realtime_bridge.shared.logging import configure_logging


class StructuredLogger(Logger):  # type: ignore[misc]
    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        settings = Settings.from_env(os.environ)
        configure_logging("gateway", settings.log_level, settings.log_format)
        self.error_log.handlers.clear()
        self.error_log.propagate = True
