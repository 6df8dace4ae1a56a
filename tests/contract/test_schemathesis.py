"""The description of the API against the API: whatever fits the document is answered as the document says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.domain import key_text
from tests.contract.conftest import Served
from tests.servers.gateway_server import ROOT

HERE = Path(__file__).parent
EXAMPLES = int(os.environ.get("CROSSFADE_CONTRACT_EXAMPLES", "2"))  # per operation, in fuzzing and in walks
MAX_TIME_S = int(os.environ.get("CROSSFADE_CONTRACT_SECONDS", "25"))
IS_FULL = MAX_TIME_S >= 400  # time for fuzzing, which takes most of it, and for more than 10,000 cases
PHASES = ("examples", "coverage", *(("fuzzing",) if IS_FULL else ()), "stateful")
LOG = Path(os.environ["CROSSFADE_CONTRACT_LOG"]) if "CROSSFADE_CONTRACT_LOG" in os.environ else None


@pytest.mark.slow
@pytest.mark.timeout(MAX_TIME_S + 120)
def test_every_answer_is_described(served: Served, tmp_path: Path) -> None:
    """All checks (the default): examples, edge cases, random ones, walks along links; nothing is undescribed."""
    command: list[str | Path] = [
        Path(sys.executable).with_name("schemathesis"),
        "--config-file", HERE / "schemathesis.toml",
        "run", f"{served.url}/api/v1/openapi.json",
        "-H", f"X-API-Key: {served.key}",
        "--phases", ",".join(PHASES),
        "--max-examples", str(EXAMPLES),
        "--max-time", str(MAX_TIME_S),
        "--no-color", "--warnings", "off", "--no-shrink", "--suppress-health-check", "all",
    ]  # fmt: skip
    environment = os.environ | {
        "SCHEMATHESIS_HOOKS": "tests.contract.hooks",
        "CROSSFADE_CONTRACT_KEY_ID": key_text.parse(served.key).id,
        "PYTHONPATH": str(ROOT),
    }
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    if LOG is not None:
        LOG.write_text(run.stdout + run.stderr)
    assert served.server.request("GET", "/livez")[0] == 200
    assert run.returncode == 0, run.stdout[-40_000:]
    counted = re.search(r"([\d,]+) generated", run.stdout)
    assert counted is not None, run.stdout[-2_000:]
    if IS_FULL:
        assert int(counted[1].replace(",", "")) >= 10_000
