"""The alert rules do what they say, every alert has its page, and nothing asks for a metric that is not there."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.metrics_core import Metric

from gateway.metrics import Metrics
from realtime_bridge import metrics
from realtime_bridge.rollout import metrics as rollout_metrics
from realtime_bridge.rollout.dial import metrics as dial_metrics

OPS = Path(__file__).resolve().parents[3] / "ops"
RULES = (OPS / "alerts" / "crossfade.yml").read_text()
DASHBOARD = json.loads((OPS / "dashboards" / "crossfade.json").read_text())
OURS = re.compile(r"\b(?:crossfade|chat)_[a-z_]+\b")
ALERT = re.compile(r"- alert: (\w+)")


def expressions() -> list[str]:
    rules = re.findall(r"expr: >-\n +(.+)", RULES)
    return [*rules, *(target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"])]


def exported() -> set[str]:
    """Every series name that gateway and bridge can show."""
    assert metrics.LATENCY
    assert dial_metrics.STAGE
    assert rollout_metrics.__doc__
    found: set[str] = set()
    for registry in (REGISTRY, Metrics()._registry):
        found |= {name for metric in _collected(registry) for name in _names(metric)}
    return found


def _collected(registry: CollectorRegistry) -> list[Metric]:
    return list(registry.collect())


def _names(metric: Metric) -> set[str]:
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(metric.type, ("",))
    return {metric.name + suffix for suffix in suffixes}


@pytest.fixture(scope="module")
def promtool() -> str:
    """Debian's promtool; where it can be installed it is, and where it cannot the test fails."""
    if shutil.which("promtool") is None and shutil.which("apt-get"):
        for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "prometheus"]):
            subprocess.run(["apt-get", *command], check=False, capture_output=True, timeout=100)
    found = shutil.which("promtool")
    assert found, "promtool is missing: install Debian's package `prometheus`"
    return found


@pytest.mark.parametrize("arguments", [("check", "rules", "crossfade.yml"), ("test", "rules", "crossfade_test.yml")])
def test_promtool_accepts_the_rules(promtool: str, arguments: tuple[str, ...]) -> None:
    """Each alert fires when it should, with its words, and not before."""
    done = subprocess.run(
        [promtool, *arguments], cwd=OPS / "alerts", capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_test_and_a_page() -> None:
    """Whoever is woken finds symptom, cause and command; a page without an alert is a leftover."""
    alerts = set(ALERT.findall(RULES))
    tested = set(re.findall(r"alertname: (\w+)", (OPS / "alerts" / "crossfade_test.yml").read_text()))
    pages = {page.stem for page in (OPS / "runbooks" / "alerts").glob("*.md")}
    assert alerts == tested == pages
    assert set(re.findall(r"runbook: ops/runbooks/alerts/(\w+)\.md", RULES)) == alerts


def test_rules_and_dashboard_ask_for_what_is_exported() -> None:
    """A renamed metric breaks this test, not an alert."""
    asked = {name for text in expressions() for name in OURS.findall(text)}
    assert len(asked) > 15
    assert asked - exported() == set()


def test_the_old_names_have_their_prometheus_spelling() -> None:
    """`chat.realtime.connection.count` and its fellows are exported under the names that the documentation maps."""
    assert exported() >= {
        "chat_realtime_connection_count",
        "chat_realtime_message_latency_seconds_bucket",
        "chat_realtime_broadcast_success_total",
        "chat_realtime_broadcast_failure_total",
        "chat_api_request_count_total",
        "chat_api_request_latency_seconds_bucket",
    }


def test_dashboard_panels_do_not_overlap() -> None:
    """Every panel has its place and a title of its own."""
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in DASHBOARD["panels"]]
    assert len(set(places)) == len(places) == len({panel["title"] for panel in DASHBOARD["panels"]})
