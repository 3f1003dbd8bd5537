"""Topologies stand at the lab's addresses, and the arithmetic of Raft is right."""

from __future__ import annotations

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
    [(0, 2, "at least 1 manager, 0"), (10, 0, "10 managers"), (3, -1, "-1 workers")],
)
def test_counts_that_form_no_swarm_are_refused(managers: int, workers: int, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Topology.of(managers, workers)


@pytest.mark.parametrize(
    ("managers", "needed", "borne"),
    [(1, 1, 0), (2, 2, 0), (3, 2, 1), (4, 3, 1), (5, 3, 2), (7, 4, 3)],
)
def test_quorum_and_tolerance(managers: int, needed: int, borne: int) -> None:
    assert (quorum(managers), tolerance(managers)) == (needed, borne)


def test_an_even_number_of_managers_is_warned_of_and_says_why() -> None:
    assert "4 managers tolerate 1 failures" in (Topology.of(4, 0).warning() or "")
    assert Topology.of(3, 0).warning() is None
