"""Machines are asked who they are; which of them is lost for good is known from what they say."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_swarmlab.errors import NotConverged
from pytest_swarmlab.evidence.events import Identity
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm import identities
from pytest_swarmlab.swarm.identities import identities_of, identity_of
from pytest_swarmlab.swarm.services import Service
from pytest_swarmlab.waiting.waiter import Done, Fatal, Pending, Waiter
from tests.unit.fakes import Lab, listed

SUBJECT = "subject=CN={id},OU=swarm-{role},O=2hu01293tks1gz6ofole0tdrm\n"


@pytest.fixture
def told(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[str, str]]:
    """Node → CN and role of its certificate; engines say that they are who the list says."""
    monkeypatch.setattr(identities, "AGAIN_S", 0.0)
    certificates = {}
    for spec in lab.topology.nodes:
        name = spec.name
        certificates[name] = (f"id-{name}", str(spec.membership))
        lab.info[name] = {
            "Swarm": {"NodeID": f"id-{name}", "LocalNodeState": "active"},
            "DockerRootDir": "/data",
        }

    def shell(node: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
        if argv[0] != "openssl":
            return 0, "", ""
        id_, role = certificates[node]
        return 0, SUBJECT.format(id=id_, role=role), ""

    lab.shell = shell
    for spec in lab.topology.nodes:
        lab.row(spec.name)["Description"]["Hostname"] = spec.name
    lab.swarm.look()
    return certificates


Told = dict[str, tuple[str, str]]


def take(lab: Lab, told: Told) -> None:
    """worker2 has manager3's certificate, and its description stands in manager3's row."""
    told["worker2"] = told["manager3"]
    lab.row("manager3")["Description"]["Hostname"] = "worker2"
    lab.row("worker2")["Status"] = {"State": "down"}


def test_who_a_machine_is_say_its_engine_and_its_certificate(lab: Lab, told: Told) -> None:
    assert identity_of(lab["worker1"]) == Identity("worker1", "id-worker1", "id-worker1", "worker")
    assert lab.did[-1][-1] == "/data/swarm/certificates/swarm-node.crt"
    lab.info["worker1"] = {"Swarm": {"NodeID": ""}}
    lab.silent = {"worker2": "no route"}
    found = {identity.node: identity for identity in identities_of(lab.swarm.nodes)}
    assert found["worker1"] == Identity("worker1")
    assert found["worker2"] == Identity("worker2", error="no route")
    assert found["manager1"].role == "manager"
    assert len(told) == 5


def test_an_engine_that_is_no_node_for_a_moment_has_its_certificate_all_the_same(
    lab: Lab, told: Told
) -> None:
    told["worker1"] = told["manager1"]
    lab.info["worker1"] = {"Swarm": {"NodeID": "", "LocalNodeState": "pending"}}
    assert identity_of(lab["worker1"]) == Identity("worker1", "", "id-manager1", "manager")


def test_who_has_no_openssl_says_so(lab: Lab, told: Told) -> None:
    lab.shell = lambda *_: (127, "", "openssl: not found\n")
    assert "openssl: not found" in identity_of(lab["worker1"]).error
    assert told


def test_a_reading_has_the_roles_that_the_managers_gave(lab: Lab, told: Told) -> None:
    with pytest.raises(NotConverged), Evidence(lab.recorder).identities_of(lab.swarm):
        raise NotConverged("a leader", node=None, elapsed=45.0, last="none")
    first, second = lab.recorder.view().of("identities")
    assert first.data["roles"]["id-worker2"] == "worker"
    assert [row["name"] for row in second.data["machines"]] == [
        told[n.name][0] for n in lab.swarm.nodes
    ]


def test_a_lost_identity_ends_a_wait_for_all_nodes_at_once(lab: Lab, told: Told) -> None:
    condition = lab.swarm.all_nodes_ready()
    assert isinstance(condition(), Done)
    take(lab, told)
    outcome = condition()
    assert isinstance(outcome, Fatal)
    assert "worker2 was the node id-worker2 and has the certificate of manager3" in outcome.seen
    # The row may have its name back while two machines act as that node.
    lab.row("manager3")["Description"]["Hostname"] = "manager3"
    assert isinstance(condition(), Fatal)


def test_a_lost_identity_ends_a_wait_for_either_of_the_two(lab: Lab, told: Told) -> None:
    take(lab, told)
    for name in ("worker2", "manager3"):
        outcome = lab.swarm.node_is(lab[name], state="disconnected")()
        assert isinstance(outcome, Fatal), outcome
    assert isinstance(lab.swarm.node_is(lab["manager2"], state="disconnected")(), Pending)
    assert isinstance(lab.swarm.node_is(lab["manager2"], state="ready")(), Done)


def test_a_row_under_another_s_name_is_nothing_as_long_as_certificates_are_right(
    lab: Lab, told: Told
) -> None:
    lab.row("manager3")["Description"]["Hostname"] = "worker2"
    assert isinstance(lab.swarm.all_nodes_ready()(), Done)
    assert told["worker2"] == ("id-worker2", "worker")


def test_machines_are_not_asked_without_a_reason(lab: Lab, told: Told) -> None:
    lab.row("worker2")["Status"] = {"State": "down"}
    before = list(lab.did)
    assert isinstance(lab.swarm.all_nodes_ready()(), Pending)
    assert lab.did == before
    assert told


def test_a_machine_that_has_joined_anew_is_lost_no_more(lab: Lab, told: Told) -> None:
    take(lab, told)
    assert isinstance(lab.swarm.all_nodes_ready()(), Fatal)
    lab.row("manager3")["Description"]["Hostname"] = "manager3"
    lab.rows.append(listed("worker2", role="worker") | {"ID": "id-new"})
    lab.info["worker2"]["Swarm"]["NodeID"] = "id-new"
    told["worker2"] = ("id-new", "worker")
    assert isinstance(lab.swarm.all_nodes_ready()(), Done)
    assert not lab.swarm.given_up


def remove(lab: Lab, name: str) -> None:
    lab.rows = [row for row in lab.rows if row["ID"] != f"id-{name}"]


def test_a_removed_machine_that_does_not_know_it_ends_a_wait(lab: Lab, told: Told) -> None:
    remove(lab, "worker2")
    outcome = lab.swarm.all_nodes_ready()()
    assert isinstance(outcome, Fatal)
    assert "removed worker2 (id-worker2), whose engine says that it is active" in outcome.seen
    assert isinstance(lab.swarm.node_is(lab["worker2"], state="ready")(), Fatal)
    assert told


@pytest.mark.parametrize(
    "swarm",
    [
        {"NodeID": "id-new", "LocalNodeState": "active"},
        {"NodeID": "", "LocalNodeState": "pending"},
        {"NodeID": "id-worker2", "LocalNodeState": "locked"},
    ],
    ids=["joined anew", "joining", "locked"],
)
def test_a_machine_that_may_come_is_waited_for(lab: Lab, told: Told, swarm: dict[str, Any]) -> None:
    remove(lab, "worker2")
    lab.info["worker2"]["Swarm"] = swarm
    assert isinstance(lab.swarm.all_nodes_ready()(), Done)
    assert isinstance(lab.swarm.node_is(lab["worker2"], state="ready")(), Pending)
    assert told


def test_a_machine_that_has_left_is_no_member_and_nobody_waits_for_it_by_name(
    lab: Lab, told: Told
) -> None:
    remove(lab, "worker2")
    lab.info["worker2"]["Swarm"] = {"NodeID": "", "LocalNodeState": "inactive"}
    assert isinstance(lab.swarm.all_nodes_ready()(), Done)
    assert isinstance(lab.swarm.node_is(lab["worker2"], state="ready")(), Fatal)
    assert told


def test_a_removed_machine_that_gives_no_answer_may_be_anything(lab: Lab, told: Told) -> None:
    remove(lab, "worker2")
    lab.silent = {"worker2": "no route"}
    assert isinstance(lab.swarm.node_is(lab["worker2"], state="ready")(), Pending)
    assert told


def deploy_and_lose(lab: Lab, told: Told) -> None:
    with Service.created(lab.swarm, "web", "nginx:alpine"):
        take(lab, told)
        Waiter()(lab.swarm.all_nodes_ready(), within=240)


def test_a_cluster_that_is_given_up_is_not_tidied_up_after_a_failure(lab: Lab, told: Told) -> None:
    with pytest.raises(NotConverged, match="can no longer be met"):
        deploy_and_lose(lab, told)
    assert not [act for act in lab.commands("docker") if "rm" in act]
    assert lab.swarm.given_up


def test_somebody_s_own_cluster_is_tidied_up_without_the_machine_that_is_lost(
    lab: Lab, told: Told
) -> None:
    lab.containers = {"worker2": [{"Id": "c"}]}
    lab.machines.foreign = True
    with pytest.raises(NotConverged, match="can no longer be met"):
        deploy_and_lose(lab, told)
    assert [act for act in lab.commands("docker") if "rm" in act]
    assert any("nobody waits" in e.data["message"] for e in lab.recorder.view().of("notice"))
