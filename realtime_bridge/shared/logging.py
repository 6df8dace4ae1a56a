"""Structured logs: one line per event, with the process's name. Called once by each process at its start."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_SECRET_NAME = re.compile(r"authorization|api_?key|secret|token|password|cookie|jwt", re.IGNORECASE)
_SECRET_VALUE = re.compile(r"cf_[a-z]+_\w+|eyJ[\w-]+\.[\w-]+\.[\w-]*|sb_secret_\w+|whsec_\S+|(?<=://)[^/@\s]+(?=@)")
_HANDLED = ("realtime._async.client", "realtime._async.channel")
"""Loggers of the official client: it calls an error what it then raises or answers, and we try again."""
_COUNTERS = frozenset({"lease_token"})  # named like a secret, but a fencing number


def configure_logging(process: str, level: str = "INFO", fmt: str = "json") -> None:
    """Send structlog and the standard library's loggers to stderr, one line each; `fmt` is `json` or `console`."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        lambda _logger, _method, event: {**event, "process": process},
        redact,
    ]
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if fmt == "console"
        else structlog.processors.JSONRenderer()
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    lower_handled_errors()
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def lower_handled_errors() -> None:
    """Whoever handles an error says whether it is one; a project that is still asleep refuses the first joins."""
    for name in _HANDLED:
        logging.getLogger(name).addFilter(_as_information)


def _as_information(record: logging.LogRecord) -> bool:
    if record.levelno > logging.INFO:
        record.levelno, record.levelname = logging.INFO, "INFO"
    return True


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace values that are secrets by their name or by their look, at the last place before the line is written."""
    for name, value in event.items():
        if not isinstance(value, str):
            continue
        if _SECRET_NAME.search(name) and name not in _COUNTERS:
            event[name] = "[redacted]"
        elif name != "timestamp":
            event[name] = _SECRET_VALUE.sub("[redacted]", value)
    return event
