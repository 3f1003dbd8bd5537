"""Faults of the leader, and the waits, while clients send requests."""

from collections.abc import Callable, Sequence

from pytest_swarmlab.clients.probe import Probe
from pytest_swarmlab.evidence.observer import Observe
from pytest_swarmlab.faults import Fault, Faults
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.stacks import Service
from pytest_swarmlab.waiting.waiter import Waiter

from .perform import test_ha
from .setting import PORT, REPLICAS, SERVICE

HOW: dict[str, Callable[[Faults, Node], Fault]] = {
    "graceful-stop": Faults.stop_engine,
    "kill-9": Faults.kill_engine,
    "power-off": Faults.power_off,
}
"""Phase → what happens to the leader."""

ELECTION_S = 45
DOWN_S = 90
RUN_AGAIN_S = 150
"""Seconds from when the lost node is down; the judge's bound counts from the failure."""
BACK_S = 240
"""A manager that lost power can be away long after it answers: the leader's connection to it is
retried with a growing pause (gRPC's, up to two minutes); 67 s were seen on the embedded cluster."""
WARM_REQUESTS = 40
"""Requests before the fault: they show how the service answers undisturbed."""


def lose_the_leader(
    swarm: Swarm,
    how: str,
    *,
    faults: Faults,
    wait: Waiter,
    probe: Probe,
    observe: Observe,
    evidence: Evidence,
) -> None:
    """Break the leader under load, watch the others take over, heal it, watch it come back."""
    with test_ha(swarm, wait) as service:
        lose_the_leader_of(
            service, REPLICAS, PORT, how,
            faults=faults, wait=wait, probe=probe, observe=observe, evidence=evidence,
        )  # fmt: skip


def lose_the_leader_of(
    service: Service,
    replicas: int,
    port: int,
    how: str,
    *,
    faults: Faults,
    wait: Waiter,
    probe: Probe,
    observe: Observe,
    evidence: Evidence,
    path: str = "/",
) -> None:
    """The same for an existing service with so many replicas, published at that port.

    `path`: what clients ask for, 20 times a second.
    """
    swarm = service.swarm
    old = swarm.leader()
    survivors = others(swarm.managers(), old)
    evidence.listing(old, f"Before: {old} leads")
    with (
        evidence.raft_of(survivors),
        observe(survivors, service=service.name),
        probe(via=swarm.nodes_except(old), port=port, path=path) as traffic,
    ):
        wait(traffic.asked_at_least(WARM_REQUESTS), within=30)
        with HOW[how](faults, old):
            new = wait(swarm.has_leader(other_than=old), within=ELECTION_S)
            # By now gossip has told each machine that the old leader is gone.
            evidence.mesh(swarm.nodes_except(old))
            evidence.listing(new, f"{old} is lost, {new} leads")
            wait(swarm.node_is(old, state="down"), within=DOWN_S)
            wait(service.converged(replicas=replicas), within=RUN_AGAIN_S)
            evidence.listing(new, f"{old} is down, the replicas run elsewhere")
            evidence.ping(old)
        wait(swarm.node_is(old, state="ready", reachability="reachable"), within=BACK_S)
        # Its return can cost an election: only then is it a follower like the others, and
        # for a new leader every node is unknown until it has reported.
        wait(swarm.has_leader(seen_by=old), within=BACK_S)
        wait(swarm.all_nodes_ready(), within=BACK_S)
    # What the wait above saw last may have come after the last sample.
    evidence.state(swarm)
    evidence.listing(old, f"{old} is back, and a follower")


def demote_the_leader(
    swarm: Swarm,
    *,
    faults: Faults,
    wait: Waiter,
    probe: Probe,
    observe: Observe,
    evidence: Evidence,
) -> None:
    """The contrast: a leader that is demoted transfers leadership before it goes."""
    with test_ha(swarm, wait):
        old = swarm.leader()
        survivors = others(swarm.managers(), old)
        with observe(survivors, service=SERVICE), probe(via=swarm.nodes, port=PORT) as traffic:
            wait(traffic.asked_at_least(WARM_REQUESTS), within=30)
            with faults.demote(old, via=survivors[0]):
                new = wait(swarm.has_leader(other_than=old), within=ELECTION_S)
                evidence.listing(new, f"{old} was demoted, {new} leads")
                # Promoted before it has settled, it would cost the new leader its office.
                settled = swarm.node_is(old, role="worker", reachability="", state="ready")
                wait(settled, within=BACK_S)
                # As many requests after the handover as before it.
                wait(traffic.asked_at_least(traffic.asked + WARM_REQUESTS), within=30)
                # The promotion needs the agreement of the other manager, which was away in a drill
                # before this one: the new leader may not have reached it yet, since gRPC waits
                # before it tries again, and then loses its office (28 s were seen).
                wait(swarm.accepts_changes(new), within=BACK_S)
        wait(swarm.node_is(old, role="manager", reachability="reachable"), within=BACK_S)
        wait(swarm.all_nodes_ready(), within=BACK_S)


def others(nodes: Sequence[Node], left_out: Node) -> list[Node]:
    """The nodes without one."""
    return [node for node in nodes if node is not left_out]
