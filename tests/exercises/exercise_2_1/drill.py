"""Managers are lost one by one until the swarm can't decide any more, then brought back."""

from contextlib import ExitStack
from typing import Any

from pytest_swarmlab.clients.probe import Probe
from pytest_swarmlab.evidence.events import Quorum
from pytest_swarmlab.faults import Faults
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.model import tolerance
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.waiting.conditions import brief, no_answer
from pytest_swarmlab.waiting.waiter import Waiter

from .events import Refusal

PORT = 8080
ACCEPTED_S = 45
REFUSED_S = 60
RETURNED_S = 150
"""Two minutes of backoff between the managers' connections, then an election and a split vote."""
READY_S = 240
"""The leader retries its connection to a manager that lost power with pauses up to two minutes."""
ANSWERS = 40
"""Requests waited for after each loss: two seconds' worth of the probe."""


def lose_quorum_and_regain_it(
    swarm: Swarm,
    *,
    faults: Faults,
    wait: Waiter,
    probe: Probe,
    evidence: Evidence,
    port: int = PORT,
    path: str = "/",
) -> None:
    """Stop as many managers as are tolerated and one more; then start that one again.

    `port`, `path`: of the service that clients ask. The leader stays to the end, so that no refusal
    can be taken for an election; a single manager is its own leader, and its loss is silence.
    """
    leader, managers, members = swarm.leader(), swarm.managers(), swarm.members()
    followers = [node for node in managers if node is not leader]
    victims = [*followers, leader][: tolerance(len(managers)) + 1]
    with ExitStack() as broken:
        for lost, victim in enumerate(victims, start=1):
            fault = broken.enter_context(faults.stop_engine(victim))
            evidence.write(Quorum(lost, len(managers)))
            evidence.ping(*victims[:lost])
            if lost <= tolerance(len(managers)):
                wait(swarm.accepts_changes(leader), within=ACCEPTED_S)
            else:
                wait(swarm.refuses_changes(leader), within=REFUSED_S)
            left = [node for node in members if node not in victims[:lost]]
            with probe(via=left, port=port, path=path) as traffic:
                wait(traffic.asked_at_least(ANSWERS), within=60)
            evidence.ping(*victims[:lost])
        fault.heal()
        evidence.write(Quorum(len(victims) - 1, len(managers)))
        wait(swarm.accepts_changes(leader), within=RETURNED_S)
        evidence.ping(*victims)
    wait(swarm.all_nodes_ready(), within=READY_S)


def power_off_two_of_five(
    swarm: Swarm, *, faults: Faults, wait: Waiter, evidence: Evidence
) -> None:
    """Cut the power of the leader and of a follower; the other three go on deciding."""
    leader, managers = swarm.leader(), swarm.managers()
    follower, *others = [node for node in managers if node is not leader]
    with faults.power_off(leader), faults.power_off(follower):
        evidence.write(Quorum(2, len(managers)))
        wait(swarm.has_leader(other_than=leader), within=ACCEPTED_S)
        wait(swarm.accepts_changes(others[0]), within=ACCEPTED_S)
        evidence.ping(leader, follower)
        evidence.listing(others[0], f"{leader} and {follower} have lost power")
    wait(swarm.all_nodes_ready(), within=READY_S)


def try_to_demote_the_last_manager(swarm: Swarm, evidence: Evidence) -> None:
    """Ask for what must be refused and record the engine's answer."""
    leader: Node = swarm.leader()
    node = leader.engine.nodes.get(leader.engine.info()["Swarm"]["NodeID"])
    spec: dict[str, Any] = {**node.attrs["Spec"], "Role": "worker"}
    code, said = 200, "accepted"
    try:
        node.update(spec)
    except no_answer() as error:
        response = getattr(error, "response", None)
        code, said = getattr(response, "status_code", 0), brief(error)
    evidence.write(Refusal("demote the last manager", code, said))
