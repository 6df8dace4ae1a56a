"""Ports for `up`."""

import os
import socket

import pytest

from ops.embedded.ports import PortError, choose_ports


def test_a_taken_port_is_named_with_its_option_and_holder() -> None:
    """The sentence says what to change, and whom to stop."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(PortError, match=rf"Port {port} is taken by .*\(pid {os.getpid()}\).*--bridge-port"):
            choose_ports({"gateway": 0, "bridge": port})


def test_any_free_ports_are_all_different() -> None:
    """Zero means any free one, and no two names get the same."""
    ports = choose_ports(dict.fromkeys(["gateway", "bridge", "supabase", "postgres"], 0))
    assert len(set(ports.values())) == 4
    assert 0 not in ports.values()


def test_the_same_port_twice_is_refused() -> None:
    """Two processes cannot be told to share a port."""
    (port,) = choose_ports({"gateway": 0}).values()
    with pytest.raises(PortError):
        choose_ports({"gateway": port, "bridge": port})


def test_a_wanted_port_is_given() -> None:
    """A fixed port that is free stays what it is."""
    (port,) = choose_ports({"gateway": 0}).values()
    assert choose_ports({"bridge": 0, "gateway": port})["gateway"] == port
