"""A process is known to be gone by its name, and by nothing that another one could have, too."""

import os
import re
import subprocess
import sys

from realtime_bridge.event_log.process_name import has_ended, own_name

SAY = "from realtime_bridge.event_log.process_name import own_name; print(own_name(), flush=True); input()"


def test_a_process_has_ended_when_it_is_gone() -> None:
    """Not while it runs; as soon as it is killed, also before anybody has waited for it; and for ever after."""
    command = [sys.executable, "-c", SAY]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        name = process.stdout.readline().strip()
        assert not has_ended(name)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert has_ended(name)
    assert has_ended(name)


def test_a_pid_that_is_used_again_is_another_process() -> None:
    """The moment of the start is part of the name."""
    name = own_name()
    assert not has_ended(name)
    assert has_ended(re.sub(r"\d+$", lambda started: str(int(started[0]) - 1), name))


def test_of_other_places_nothing_is_known() -> None:
    """Another machine, another namespace, another kind of name: whoever it is may live."""
    place = own_name().rpartition(":")[2].partition("-")[0]
    gone = f"host:999999999:{place}-5"
    assert has_ended(gone)
    for name in (
        gone.replace(place, place[::-1] + "0"),
        "host:999999999:gateway",
        "one",
        "",
        "a:b:c-d",
        f"::{place}-5",
    ):
        assert not has_ended(name), name
