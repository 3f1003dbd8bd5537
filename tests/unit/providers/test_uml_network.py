"""An embedded cluster's network holds other addresses than the lab's, and leads nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_swarmlab.errors import HostError
from pytest_swarmlab.model import Membership, NodeSpec, Topology
from pytest_swarmlab.providers.uml import keeper as module
from pytest_swarmlab.providers.uml import network
from pytest_swarmlab.providers.uml.keeper import Keeper


def machines(*places: tuple[str, str]) -> Topology:
    return Topology("some", tuple(NodeSpec(*place, Membership.MANAGER) for place in places))


def test_the_client_stands_where_a_vagrant_host_does() -> None:
    assert network.client(Topology.of(9, 9)) == "192.168.56.1/24"


def test_the_client_takes_no_address_of_a_node() -> None:
    theirs = machines(("a", "203.0.113.1"), ("b", "203.0.113.2"), ("c", "203.0.113.4"))
    assert network.client(theirs) == "203.0.113.3/24"


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (machines(("a", "10.0.0.1"), ("b", "10.0.1.1")), "one network.*10.0.0.0/24, 10.0.1.0/24"),
        (machines(("a", "fd00::1")), "have IPv4 addresses"),
        (machines(("a", "example.org")), "have IPv4 addresses"),
        (machines(("a", "10.0.0.1"), ("b", "10.0.0.1")), "two machines have one address"),
        (machines(("a", "10.0.0.1"), ("a", "10.0.0.2")), "2 machines are called a"),
        (machines(("a b", "10.0.0.1")), "can be called 'a b'"),
        (machines(("$(reboot)", "10.0.0.1")), "can be called"),
        (machines(("../up", "10.0.0.1")), "can be called"),
        (machines(("n" * 41, "10.0.0.1")), "up to 40 letters"),
        (machines(), "of several: none"),
    ],
)
def test_what_embedded_machines_cannot_be_is_said_before_anything_is_made(
    wanted: Topology, why: str
) -> None:
    with pytest.raises(HostError, match=why):
        network.require_place(wanted)


def test_an_owners_names_and_addresses_are_taken() -> None:
    network.require_place(
        machines(("swarm-manager-01.example.org", "10.20.30.1"), ("Worker1", "10.20.30.254"))
    )


@pytest.mark.parametrize(
    ("name", "tap"),
    [
        ("manager1", "manager1"),
        ("ip-10-20-30-40", "ip-10-20-30-40"),
        # Too long for an interface; with a dot; as the bridge and others are called.
        ("swarm-manager-01", "tap7"),
        ("a.b", "tap7"),
        ("lab", "tap7"),
        ("lo", "tap7"),
        ("tap1", "tap7"),
    ],
)
def test_every_node_has_a_tap_of_its_own(name: str, tap: str) -> None:
    assert network.tap(name, 7) == tap


def test_a_cluster_has_a_bridge_and_its_own_taps_and_no_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a namespace that has nothing else. Whatever addresses the nodes have, they stay inside."""
    done: list[tuple[str, ...]] = []
    monkeypatch.setattr(module, "_run", lambda *argv: done.append(argv))
    files: Any = type("Path", (type(tmp_path),), {"write_text": lambda *_, **__: None})
    monkeypatch.setattr(module, "Path", files)
    keeper = Keeper.__new__(Keeper)
    keeper.state = tmp_path
    nodes = [{"name": f"n{n}", "tap": f"n{n}", "memory_mib": 1} for n in (1, 2)]
    keeper.plan = {"nodes": nodes, "client": "203.0.113.3/24"}
    keeper._network()
    assert [argv for argv in done if argv[0] == "ip"] == [
        ("ip", "link", "set", "lo", "up"),
        ("ip", "link", "add", "lab", "type", "bridge"),
        ("ip", "address", "add", "203.0.113.3/24", "dev", "lab"),
        ("ip", "link", "set", "lab", "up"),
        *(
            argv
            for name in ("n1", "n2")
            for argv in (
                ("ip", "tuntap", "add", "mode", "tap", "name", name),
                ("ip", "link", "set", name, "master", "lab", "up"),
            )
        ),
    ]
