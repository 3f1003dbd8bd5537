"""SELinux on somebody's own nodes is told before a container is denied something."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pytest_swarmlab.evidence import collectors
from pytest_swarmlab.evidence.confinement import OPTION, confinement
from tests.unit.fakes import Lab

SELINUX = {"SecurityOptions": ["name=seccomp,profile=builtin", OPTION, "name=cgroupns"]}
TOLD = (
    "SELinux confines containers on worker1, worker2: where one gets 'Permission denied' in a"
    " directory of the node, label that (`chcon -Rt container_file_t DIR`, since Swarm ignores"
    " :z)"
)


@pytest.fixture
def confined(lab: Lab) -> Lab:
    """Two engines that confine, one on a node that permits NFS; one that no longer answers."""
    lab.info = {"worker1": SELINUX, "worker2": SELINUX, "manager3": SELINUX}
    lab.silent = {"manager3": "it is off"}
    says = {
        ("worker1", "getenforce"): "Enforcing\n",
        ("worker2", "getenforce"): "Enforcing\n",
        ("worker1", "getsebool"): "virt_use_nfs --> off\n",
        ("worker2", "getsebool"): "virt_use_nfs --> on\n",
    }
    lab.shell = lambda node, argv: (0, says.get((node, argv[0]), ""), "")
    return lab


def test_where_and_what_permits_it(confined: Lab) -> None:
    told = f"{TOLD}, and permit NFS on worker1 (`setsebool -P virt_use_nfs on`)"
    assert confinement(confined.swarm) == told


def test_nothing_is_said_of_nfs_where_it_is_permitted(confined: Lab) -> None:
    confined.shell = lambda _, argv: (0, {"getenforce": "Enforcing"}.get(argv[0], "x --> on"), "")
    assert confinement(confined.swarm) == TOLD


def test_a_node_that_knows_no_such_switch_permits_none(confined: Lab) -> None:
    confined.shell = lambda _, argv: (
        (0, "Enforcing\n", "") if argv[0] == "getenforce" else (127, "", "getsebool: not found")
    )
    assert str(confinement(confined.swarm)).endswith(
        "NFS on worker1, worker2 (`setsebool -P virt_use_nfs on`)"
    )


@pytest.mark.parametrize("mode", [(0, "Permissive\n", ""), (0, "Disabled\n", ""), (127, "", "no")])
def test_what_is_not_enforced_denies_nothing(confined: Lab, mode: tuple[int, str, str]) -> None:
    confined.shell = lambda *_: mode
    assert confinement(confined.swarm) is None


def test_an_engine_that_confines_nothing_is_not_asked_further(lab: Lab) -> None:
    lab.info = {
        "worker1": {"SecurityOptions": ["name=apparmor"]},
        "worker2": {"SecurityOptions": None},
    }
    lab.shell = lambda *_: (0, "Enforcing\n", "")
    assert confinement(lab.swarm) is None
    assert lab.commands() == []


@pytest.mark.parametrize("foreign", [True, False])
def test_it_is_told_when_somebody_s_own_cluster_is_described(confined: Lab, foreign: bool) -> None:
    confined.machines.foreign = foreign
    confined.info["manager1"] = {"ServerVersion": "26.1.5", "KernelVersion": "6.12"}
    provider: Any = SimpleNamespace(name="inventory", images=list)
    collectors.describe(confined.swarm, provider, seconds=0)
    notices = [event.data["message"] for event in confined.recorder.view().of("notice")]
    assert [notice.startswith(TOLD) for notice in notices] == [True] * foreign
