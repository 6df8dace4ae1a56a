"""Something breaks during a ramp: the gate turns back, or holds where that would help nobody; users miss nothing.

CROSSFADE_DRILLS=all runs every drill and writes the table of ops/runbooks/fault-drills.md.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import psycopg
import pytest
import requests

from ops.machine.ports import choose_ports
from tests.acceptance import rehearsal
from tests.acceptance.stack import Stack, running
from tests.faults import drills
from tests.faults.drills import Drill
from tests.faults.faulty_supabase import Fault, FaultySupabase
from tests.waiting import wait_for

IS_ALL = os.environ.get("CROSSFADE_DRILLS") == "all"
USERS, PACE_MS = 8, 1_000
WITHIN_S = 4.0
PROCESSORS = os.cpu_count() or 1
BUSY_AT_MOST_S = 600
PUBLICATION = "supabase_realtime_messages_publication"

REALTIMES = [("database", False)]
if IS_ALL:
    REALTIMES += [("http", False), ("database", True), ("http", True)]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900 if IS_ALL else 180)]


@pytest.fixture
def proxy() -> Iterator[FaultySupabase]:
    ports = choose_ports({"proxy": 0, "supabase": 0})
    with FaultySupabase(ports["proxy"], f"http://127.0.0.1:{ports['supabase']}") as proxy:
        yield proxy


@pytest.fixture
def broken_stack(tmp_path: Path, proxy: FaultySupabase) -> Iterator[Stack]:
    """A stack whose bridge broadcasts over HTTP, through the proxy; its clients reach Supabase directly."""
    environment = {
        "CHAT_REALTIME_PROVIDER": "rollout",
        "CROSSFADE_SUPABASE_TRANSPORT": "http",
        "SUPABASE_FOR_BRIDGE": proxy.url,
    }
    program = (sys.executable, "-m", "tests.faults.up_behind_proxy")
    port = f"--supabase-port={proxy.upstream_port}"
    with running(tmp_path / "data", port, environment=environment, program=program) as stack:
        yield stack


def test_faults_of_a_ramp(broken_stack: Stack, proxy: FaultySupabase) -> None:
    """For each fault: the gate that fires, after how long, and that nobody missed or was shown anything twice."""
    stack = broken_stack

    def spoiled(fault: Fault) -> Drill:
        return Drill(name=f"Supabase {fault}", broken=lambda: _spoil(proxy, fault))

    every = [spoiled(fault) for fault in Fault if fault is not Fault.NONE]
    redis = Drill(name="legacy Redis gone for 15 s", broken=lambda: _frozen(stack, "redis"), rolls_back=False)
    reports = []
    users = rehearsal.invite(stack, USERS)
    with rehearsal.gathered(stack, users, pace_ms=PACE_MS) as crowds:
        for drill in [*every, redis] if IS_ALL else every[:1]:
            reports.append(drills.run(stack, crowds, drill))
            print("\n" + reports[-1].row)  # noqa: T201 - what the drill is for
        crowds.hush()
        wait_for(lambda: crowds.missing() == 0, "everything sent to be seen", rehearsal.DELIVERY_TIMEOUT_S)
        rehearsal.check(crowds)
    assert drills.parked(stack) == 0, "no fault of Supabase's is an event's"
    if IS_ALL:
        drills.RUNBOOK.write_text(drills.INTRODUCTION + "".join(f"{report.row}\n" for report in reports))


@pytest.mark.parametrize(("transport", "is_busy"), REALTIMES)
def test_a_realtime_that_is_dead_stands_still_or_restarts(tmp_path: Path, transport: str, is_busy: bool) -> None:
    """Real processes: the gate turns back within seconds, or the process was back before."""
    environment = {"CHAT_REALTIME_PROVIDER": "rollout", "CROSSFADE_SUPABASE_TRANSPORT": transport}
    how = f"{transport}, busy" if is_busy else transport
    with running(tmp_path / "data", environment=environment) as stack, _busy(PROCESSORS if is_busy else 0):
        every = [
            _realtime(f"Realtime stands still (SIGSTOP); {how}", lambda: _frozen(stack, "supabase")),
            _realtime(f"Realtime dead (SIGKILL, not started again); {how}", lambda: drills.dead(stack, "supabase")),
        ]
        users = rehearsal.invite(stack, USERS)
        with rehearsal.gathered(stack, users, pace_ms=PACE_MS) as crowds:
            for drill in every if IS_ALL else every[:1]:
                _note(drills.run(stack, crowds, drill))
            if IS_ALL:
                _note(_restarted(stack, crowds, f"Realtime restarted (SIGKILL, started again at once); {how}"))
            crowds.hush()
            wait_for(lambda: crowds.missing() == 0, "everything sent to be seen", rehearsal.DELIVERY_TIMEOUT_S)
            rehearsal.check(crowds)
        assert drills.parked(stack) == 0, "no fault of Supabase's is an event's"


def test_a_silent_database_path_is_replaced_within_seconds(tmp_path: Path) -> None:
    """Realtime no longer hears of what the database sends: HTTP takes over, sends it again, and gives way again."""
    with running(tmp_path / "data", environment={"CHAT_REALTIME_PROVIDER": "rollout"}) as stack:
        users = rehearsal.invite(stack, USERS)
        for stage in drills.STAGES:
            rehearsal.turn(stack, stage)
        with rehearsal.gathered(stack, users, pace_ms=PACE_MS) as crowds:
            calm_from = time.time()
            wait_for(lambda: drills.measured(stack, calm_from) >= 20, "the canary", 60)
            broke_at = time.time()
            with _unpublished(stack):
                wait_for(lambda: _metric(stack, "crossfade_supabase_over_http") == 1, "HTTP", 30)
                changed_s = time.time() - broke_at
                before = len(crowds.read() and crowds.of("sent"))
                wait_for(lambda: crowds.read() and len(crowds.of("sent")) > before + USERS, "the chat to go on", 60)
            wait_for(lambda: _metric(stack, "crossfade_supabase_over_http") == 0, "the database path", 60)
            crowds.hush()
            wait_for(lambda: crowds.missing() == 0, "everything sent to be seen", rehearsal.DELIVERY_TIMEOUT_S)
            rehearsal.check(crowds)
            waits_s = drills.longest_waits_s(crowds, broke_at)
            report = drills.Report(
                drill="Supabase silent: what the database sends does not come out",
                gate="none needed: HTTP takes over and sends again",
                seconds=f"{changed_s:.1f} s",
                dial="stays at ramp 50",
                longest_waits_s=waits_s,
                whole_after_s=drills.whole_after_s(crowds, broke_at),
            )
            _note(report)
        assert drills.rollbacks(stack) == []


def _note(report: drills.Report) -> None:
    print("\n" + report.row)  # noqa: T201 - what the drill is for
    if IS_ALL:
        with drills.RUNBOOK.open("a") as runbook:
            runbook.write(f"{report.row}\n")


def _realtime(name: str, broken: Callable[[], AbstractContextManager[object]]) -> Drill:
    return Drill(name=name, broken=broken, within_s=WITHIN_S)


@contextlib.contextmanager
def _busy(count: int) -> Iterator[None]:
    """So many processors have something else to do; what keeps them busy ends by itself, too."""
    command = [sys.executable, "-c", f"import time\nwhile time.process_time() < {BUSY_AT_MOST_S}: pass"]
    with contextlib.ExitStack() as running:
        for _ in range(count):
            running.callback(_end, subprocess.Popen(command))
        yield


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


@contextlib.contextmanager
def _spoil(proxy: FaultySupabase, fault: Fault) -> Iterator[None]:
    proxy.fault = fault
    try:
        yield
    finally:
        proxy.fault = Fault.NONE


@contextlib.contextmanager
def _frozen(stack: Stack, name: str) -> Iterator[None]:
    os.kill(stack.pids[name], signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(stack.pids[name], signal.SIGCONT)


def _restarted(stack: Stack, crowds: rehearsal.Crowds, name: str) -> drills.Report:
    """Killed and started again at once: whether the gate fires depends on how long that takes."""
    drills.ramp_up(stack)
    before, broke_at = len(drills.rollbacks(stack)), time.time()
    old = stack.pids["supabase"]
    os.kill(old, signal.SIGKILL)
    stack.wait_for_new_pid("supabase", old)
    sent = len(crowds.read() and crowds.of("sent"))
    wait_for(lambda: crowds.read() and len(crowds.of("sent")) > sent + 2 * USERS, "the chat to go on", 60)
    wait_for(lambda: crowds.missing() == 0, "what was said: restarted", drills.RETURN_TIMEOUT_S)
    fired = drills.rollbacks(stack)[before:]
    return drills.Report(
        drill=name,
        gate=fired[0]["why"].replace("|", "/") if fired else "none: it was back before",
        seconds=f"{fired[0]['at'] - broke_at:.1f} s" if fired else "-",
        dial="back to off" if fired else "stays at ramp 50",
        longest_waits_s=drills.longest_waits_s(crowds, broke_at),
        whole_after_s=drills.whole_after_s(crowds, broke_at),
    )


@contextlib.contextmanager
def _unpublished(stack: Stack) -> Iterator[None]:
    """Realtime stays connected, and its slot active; only nothing comes out any more."""
    with psycopg.connect(stack.database_admin_url, autocommit=True) as connection:
        connection.execute(f"alter publication {PUBLICATION} drop table realtime.messages".encode())
        try:
            yield
        finally:
            connection.execute(f"alter publication {PUBLICATION} add table realtime.messages".encode())


def _metric(stack: Stack, name: str) -> float:
    text = requests.get(stack.ready["bridgeMetricsUrl"], timeout=5).text
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name} "))
