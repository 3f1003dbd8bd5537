"""The leader's engine is killed after replicas have moved and their addresses went to others.

Each surviving machine's tables are read after gossip has told it of the loss: whether one of them
lacks a way to a replica that it balances over (docs/findings.md, lost-way).
"""

from collections.abc import Sequence

from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import FindingTried
from pytest_swarmlab.faults import Faults
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm.cluster import Swarm
from pytest_swarmlab.swarm.services import Service, Services
from pytest_swarmlab.waiting.waiter import Waiter

PHASE = "findings/lost-way"
FINDING = "lost-way"
HOW = "kill-9"

SERVICES = {"three": 3, "five": 5}
"""Name → replicas. A new leader gives the lowest free addresses: those of the other's replicas."""

PORT = 8081
READY_S = 90
ELECTION_S = 45
BACK_S = 240


def kill_the_leaders_engine(
    swarm: Swarm, *, faults: Faults, wait: Waiter, evidence: Evidence
) -> None:
    """Count whether a surviving machine lacked a way, before the loss or after it."""
    with swarm.recorder.phase(PHASE), Services.removed(swarm) as services:
        made = [
            services.create(
                name, "--replicas", str(count), "--publish", f"{PORT + place}:80", "nginx:alpine"
            )
            for place, (name, count) in enumerate(SERVICES.items())
        ]
        _await(made, wait)
        for service in made:
            service.update("--force", "--update-parallelism", "0", title="All its replicas move")
        _await(made, wait)
        wait(swarm.mesh_lists(sum(SERVICES.values())), within=READY_S)
        evidence.mesh(swarm.nodes)
        old = swarm.leader()
        with faults.kill_engine(old):
            wait(swarm.has_leader(other_than=old), within=ELECTION_S)
            # By now gossip has told each machine that the old leader is gone.
            evidence.mesh(swarm.nodes_except(old))
        wait(swarm.node_is(old, state="ready", reachability="reachable"), within=BACK_S)
        wait(swarm.all_nodes_ready(), within=BACK_S)
    lost = readings.lost_ways(swarm.recorder.view().performances(PHASE)[-1])
    evidence.write(FindingTried(FINDING, HOW, trials=1, seen=int(bool(lost))))


def _await(services: Sequence[Service], wait: Waiter) -> None:
    for service, count in zip(services, SERVICES.values(), strict=True):
        wait(service.converged(replicas=count), within=READY_S)
