"""Ports for `up`."""

import os
import socket

import pytest

from ops.errors import OpsError
from ops.machine.ports import choose_ports, held_ports, port_of


def test_a_taken_port_is_named_with_its_option_and_holder() -> None:
    """The sentence says what to change, and whom to stop."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(OpsError, match=rf"Port {port} is taken by .*\(pid {os.getpid()}\).*--bridge-port"):
            choose_ports({"gateway": 0, "bridge": port})


def test_any_free_ports_are_all_different() -> None:
    """Zero means any free one, and no two names get the same."""
    ports = choose_ports(dict.fromkeys(["gateway", "bridge", "supabase", "postgres"], 0))
    assert len(set(ports.values())) == 4
    assert 0 not in ports.values()


def test_a_port_that_any_will_do_for_is_nobody_elses() -> None:
    """From the moment at which it is chosen until its holder lets go of it."""
    with held_ports({"bridge": 0}) as held, pytest.raises(OpsError, match="is taken"):
        choose_ports({"other": port_of(held["bridge"])})


def test_an_address_of_somebody_else_is_named() -> None:
    """The sentence says which variable chose it."""
    with pytest.raises(OpsError, match=r"192\.0\.2\.1 cannot be listened on .*CROSSFADE_METRICS_HOST"):  # noqa: SIM117
        with held_ports({"bridge-metrics": 0}, {"bridge-metrics": "192.0.2.1"}):
            pass


def test_the_same_port_twice_is_refused() -> None:
    """Two processes cannot be told to share a port."""
    (port,) = choose_ports({"gateway": 0}).values()
    with pytest.raises(OpsError, match="are both"):
        choose_ports({"gateway": port, "bridge": port})


def test_a_wanted_port_is_given() -> None:
    """A fixed port that is free stays what it is."""
    (port,) = choose_ports({"gateway": 0}).values()
    assert choose_ports({"bridge": 0, "gateway": port})["gateway"] == port
