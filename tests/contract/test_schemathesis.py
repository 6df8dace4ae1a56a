"""The description of the API against the API: whatever fits the document is answered as the document says."""

import base64
import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import DictRow

from gateway.domain import key_text
from tests.factories import append_message, make_conversation, make_key, make_user
from tests.servers.gateway_server import ROOT, serve

HERE = Path(__file__).parent
EXAMPLES = int(os.environ.get("CROSSFADE_CONTRACT_EXAMPLES", "2"))  # per operation, in fuzzing and in walks
MAX_TIME_S = int(os.environ.get("CROSSFADE_CONTRACT_SECONDS", "25"))
IS_FULL = MAX_TIME_S >= 400  # time for fuzzing, which takes most of it, and for more than 10,000 cases
PHASES = ("examples", "coverage", *(("fuzzing",) if IS_FULL else ()), "stateful")
LOG = Path(os.environ["CROSSFADE_CONTRACT_LOG"]) if "CROSSFADE_CONTRACT_LOG" in os.environ else None


@pytest.mark.slow
@pytest.mark.timeout(MAX_TIME_S + 120)
def test_every_answer_is_described(
    tmp_path: Path, database_url: str, redis_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """All checks (the default): examples, edge cases, random ones, walks along links; nothing is undescribed."""
    account = make_user(conn)
    key = make_key(conn, account)
    append_message(conn, make_conversation(conn, account))
    variables = {
        "CROSSFADE_FAILED_AUTH_PER_MIN": "10000",
        "CROSSFADE_NEW_KEYS_PER_HOUR": "10000",
        "CROSSFADE_STORAGE": "directory",
        "CROSSFADE_STORAGE_DIR": str(tmp_path / "files"),
        "CROSSFADE_SECRETS_KEY": base64.b64encode(b"k" * 32).decode(),
        "CROSSFADE_WUZAPI_URLS": "https://wuzapi.example.com",
        "SUPABASE_URL": "https://project.supabase.example",
        "SUPABASE_JWT_SECRET": "a-secret-of-at-least-thirty-two-characters",
    }
    with serve(tmp_path, database_url, f"{redis_url}?db=7", **variables) as server:
        command: list[str | Path] = [
            Path(sys.executable).with_name("schemathesis"),
            "--config-file", HERE / "schemathesis.toml",
            "run", f"http://127.0.0.1:{server.port}/api/v1/openapi.json",
            "-H", f"X-API-Key: {key}",
            "--phases", ",".join(PHASES),
            "--max-examples", str(EXAMPLES),
            "--max-time", str(MAX_TIME_S),
            "--no-color", "--warnings", "off", "--no-shrink", "--suppress-health-check", "all",
        ]  # fmt: skip
        environment = os.environ | {
            "SCHEMATHESIS_HOOKS": "tests.contract.hooks",
            "CROSSFADE_CONTRACT_KEY_ID": key_text.parse(key).id,
            "PYTHONPATH": str(ROOT),
        }
        run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        if LOG is not None:
            LOG.write_text(run.stdout + run.stderr)
        assert server.request("GET", "/livez")[0] == 200
    assert run.returncode == 0, run.stdout[-40_000:]
    counted = re.search(r"([\d,]+) generated", run.stdout)
    assert counted is not None, run.stdout[-2_000:]
    if IS_FULL:
        assert int(counted[1].replace(",", "")) >= 10_000
