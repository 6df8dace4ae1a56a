"""No secret reaches a log line."""

import json
import logging

import pytest
import structlog

from realtime_bridge.shared.logging import configure_logging


def test_a_line_is_json_with_its_process_and_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    """Secrets are recognised by their field's name and by their look, in our lines and in libraries'."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        configure_logging("bridge")
        structlog.get_logger("test").info(
            "connected to postgresql://postgres:hunter2@db/x", api_key="cf_live_abc_def", lease_token=7, token="abc"
        )
        logging.getLogger("library").warning("key %s", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc")
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.reset_defaults()
    ours, theirs = (json.loads(line) for line in capsys.readouterr().err.strip().splitlines())
    assert ours["process"] == theirs["process"] == "bridge"
    assert ours["event"] == "connected to postgresql://[redacted]@db/x"
    assert (ours["api_key"], ours["token"], ours["lease_token"]) == ("[redacted]", "[redacted]", 7)
    assert theirs["event"] == "key [redacted]"
