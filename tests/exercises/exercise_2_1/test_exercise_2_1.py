"""Exercice 2.1: from the swarm of Lab 1 to three managers, and what five are good for."""

import pytest

from pytest_swarmlab.clients.probe import Probe
from pytest_swarmlab.faults import Faults
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.lab import STACKS
from pytest_swarmlab.swarm.cluster import Swarm
from pytest_swarmlab.swarm.stacks import Stacks
from pytest_swarmlab.waiting.waiter import Waiter

from . import drill, perform
from .verify import exercise

pytestmark = [pytest.mark.exercise_2_1, pytest.mark.exercise(exercise)]


@pytest.mark.swarm(topology="lab1")
def test_from_one_manager_to_three(
    swarm: Swarm,
    stack: Stacks,
    faults: Faults,
    wait: Waiter,
    probe: Probe,
    evidence: Evidence,
) -> None:
    """Each step of the lab, and after each: how many losses does the swarm bear?"""
    web = stack.deploy(STACKS / "quorum.yml").service("web")

    def reached(title: str, *, replicas: int) -> None:
        wait(web.converged(replicas=replicas), within=90)
        evidence.state(swarm)
        evidence.listing(swarm.leader(), title)

    def lose_quorum() -> None:
        drill.lose_quorum_and_regain_it(
            swarm, faults=faults, wait=wait, probe=probe, evidence=evidence
        )

    with evidence.judged(exercise, "one-manager"), evidence.identities_of(swarm):
        reached("Lab 1: one manager, two workers", replicas=3)
        drill.try_to_demote_the_last_manager(swarm, evidence)
        lose_quorum()

    with evidence.judged(exercise, "two-managers"), evidence.identities_of(swarm):
        perform.promote(swarm, swarm.node("worker1"))
        wait(swarm.node_is(swarm.node("worker1"), reachability="reachable"), within=60)
        reached("worker1 is promoted", replicas=3)
        lose_quorum()

    with evidence.judged(exercise, "three-managers"), evidence.identities_of(swarm):
        perform.join_as_manager(swarm, swarm.node("manager3"))
        wait(swarm.node_is(swarm.node("manager3"), reachability="reachable"), within=60)
        reached("Three managers: manager1, worker1 and manager3", replicas=4)
        lose_quorum()

    with evidence.judged(exercise, "target-picture"), evidence.identities_of(swarm):
        perform.reach_the_target_picture(swarm)
        wait(swarm.node_is(swarm.node("worker1"), role="worker", reachability=""), within=60)
        wait(swarm.all_nodes_ready(), within=60)
        evidence.state(swarm)
        evidence.listing(swarm.leader(), "Three managers on machines of their own, two workers")


def test_the_target_picture_stands(swarm: Swarm, evidence: Evidence) -> None:
    """The lab's target picture on any cluster, which is only read."""
    with evidence.judged(exercise, "as-found"):
        evidence.state(swarm)
        evidence.listing(swarm.leader(), "The cluster as it was found")


@pytest.mark.swarm(managers=5, workers=2)
def test_five_managers_survive_two_power_offs(
    swarm: Swarm, faults: Faults, wait: Waiter, evidence: Evidence
) -> None:
    """Five managers bear two losses, the leader's among them."""
    with evidence.judged(exercise, "five-managers"), evidence.identities_of(swarm):
        evidence.state(swarm)
        evidence.listing(swarm.leader(), "Five managers, two workers")
        drill.power_off_two_of_five(swarm, faults=faults, wait=wait, evidence=evidence)
