"""Topologies stand at the lab's addresses, and the arithmetic of Raft is right."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from pytest_swarmlab.errors import ConfigError
from pytest_swarmlab.model import Membership, Topology, quorum, tolerance


def test_the_lab_s_cluster_stands_at_the_lab_s_addresses() -> None:
    assert {node.name: node.address for node in Topology.of().nodes} == {
        "manager1": "192.168.56.10",
        "manager2": "192.168.56.20",
        "manager3": "192.168.56.30",
        "worker1": "192.168.56.11",
        "worker2": "192.168.56.12",
    }


def test_lab1_has_the_same_machines_two_of_them_outside() -> None:
    lab1 = Topology.lab1()
    assert {n.address for n in lab1.nodes} == {n.address for n in Topology.of().nodes}
    outside = {n.name for n in lab1.nodes if n.membership is Membership.OUTSIDE}
    assert outside == {"manager2", "manager3"}
    assert [n.name for n in lab1.managers] == ["manager1"]


def test_no_two_machines_share_an_address_in_the_largest_cluster() -> None:
    nodes = Topology.of(9, 9).nodes
    assert len({n.address for n in nodes}) == len({n.name for n in nodes}) == 18


@pytest.mark.parametrize(
    ("managers", "workers", "said"),
    [
        (0, 2, "at least 1 manager, 0"),
        (-1, 2, "at least 1 manager, -1"),
        (10, 0, "10 managers do not fit the lab's addresses: use 0 to 9"),
        (3, -1, "-1 workers"),
        ("3", 2, "managers='3' is no count: use a whole number"),
        (3, 1.5, "workers=1.5 is no count"),
        (3, None, "workers=None is no count"),
        (True, 2, "managers=True is no count"),
    ],
)
def test_counts_that_form_no_swarm_are_refused(managers: Any, workers: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Topology.of(managers, workers)


def test_managers_come_first_and_the_first_of_them_creates_the_swarm() -> None:
    for topology in (Topology.of(5, 2), Topology.of(1, 9), Topology.lab1()):
        assert topology.nodes[0] is topology.managers[0]
        assert topology.nodes[0].name == "manager1"
    assert Topology.of(1, 0).workers == ()


def test_memory_is_what_all_nodes_may_use_together() -> None:
    assert Topology.of(3, 2, memory_mib=700).memory_mib == 3500
    assert Topology.lab1(memory_mib=700).memory_mib == 3500


def test_a_topology_is_data_that_cannot_be_changed_and_compares_by_value() -> None:
    assert Topology.of(3, 2) == Topology.of(3, 2) != Topology.lab1()
    with pytest.raises(FrozenInstanceError):
        Topology.of().name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("managers", "needed", "borne"),
    [(1, 1, 0), (2, 2, 0), (3, 2, 1), (4, 3, 1), (5, 3, 2), (6, 4, 2), (7, 4, 3), (9, 5, 4)],
)
def test_quorum_and_tolerance(managers: int, needed: int, borne: int) -> None:
    assert (quorum(managers), tolerance(managers)) == (needed, borne)


def test_an_even_number_of_managers_is_warned_of_and_says_why() -> None:
    assert "4 managers tolerate 1 failures" in (Topology.of(4, 0).warning() or "")
    assert "no more than 3 would" in (Topology.of(4, 0).warning() or "")
    assert [n for n in range(1, 10) if Topology.of(n, 0).warning() is None] == [1, 3, 5, 7, 9]
    assert Topology.lab1().warning() is None
