"""Ctrl-C ends what stays, with the exit code that `crossfade --help` promises and without a word of complaint."""

import os
import signal
import subprocess
import sys
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import DictRow

from tests.factories import make_user
from tests.integration.rollout.stages import put_stage

# What is started in the background by a shell has Ctrl-C switched off; on a terminal it is not.
PROGRAM = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from ops.cli.main import main; main()"
)


@pytest.mark.parametrize("module", ["click.core", "psycopg", "ops.cli.rollout.options"])
def test_ctrl_c_while_it_begins_is_no_traceback(module: str) -> None:
    """Whatever is being imported, of its own or of a library's: the same exit code, and nothing is said."""
    program = PROGRAM.replace("ops.cli.main", "ops.__main__")
    command = [sys.executable, "-X", "importtime", "-c", program, "rollout", "status"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stderr is not None
        try:
            assert any(line.split("|")[-1].strip() == module for line in process.stderr)
            process.send_signal(signal.SIGINT)
            rest = process.stderr.read()
        finally:
            process.kill()
    assert process.wait() == 130, rest
    assert {line.partition(":")[0] for line in rest.splitlines()} <= {"import time"}


@pytest.mark.parametrize(
    "line",
    [
        "rollout status --watch --json --every 0.2",
        "rollout gate --watch --every 0.2",
        "parity watch --json --every 0.2",
        "webhooks listen --forward-to http://127.0.0.1:9 --account {account}",
    ],
)
def test_ctrl_c_is_exit_code_130(database_url: str, conn: psycopg.Connection[DictRow], line: str) -> None:
    """Of a real process, as soon as it has said something."""
    account: UUID = make_user(conn)
    put_stage(conn, "10")
    command = [sys.executable, "-u", "-c", PROGRAM, *line.format(account=account).split()]
    with subprocess.Popen(
        command,
        env=os.environ | {"DATABASE_URL": database_url},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        try:
            first = process.stdout.readline()
            assert first.strip()
            process.send_signal(signal.SIGINT)
            rest, _ = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 130, rest
    assert "Aborted" not in rest
    assert "Traceback" not in rest
    assert not rest.endswith("\n\n")
