"""A machine joins several overlay networks at the same time.

For each network it asks one that is there already for the network's names and addresses, and goes
on when it has the answer. Questions to the same machine share one place for the answer, so the
first answer ends only the last question's wait (docs/findings.md, late-sync).
"""

from datetime import datetime
from pathlib import Path

from pytest_swarmlab.evidence.events import FindingTried
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.stacks import Stacks
from pytest_swarmlab.waiting.waiter import Waiter
from tests.findings.events import Joined

PHASE = "findings/late-sync"
FINDING = "late-sync"
HOW = "six networks at once"

FILE = Path(__file__).with_name("late_sync.yml")
NAME = "sync"
LATE = tuple(f"late-{number}" for number in range(1, 7))
"""The stack's services that start at the same time; each has a network of its own."""

LATE_S = 25.0
"""From a network's creation on the machine to its first container's start. The engine waits 30 s
for an answer (libnetwork/networkdb/cluster.go, bulkSyncNode); otherwise it takes 1 to 5 s."""
READY_S = 180


def join_networks_at_once(swarm: Swarm, *, stack: Stacks, wait: Waiter, evidence: Evidence) -> None:
    """Count the networks whose first container on the machine started late."""
    there, joins = swarm.workers()[:2]
    constraints = {"THERE": swarm.only(there), "LATE": swarm.only(joins)}
    took = []
    with swarm.recorder.phase(PHASE):
        deployed = stack.deploy(FILE, name=NAME, env=constraints)
        wait(deployed.service("there").converged(replicas=1, on=there), within=READY_S)
        late = [deployed.service(name) for name in LATE]
        swarm.leader().run(
            "docker", "service", "scale", "--detach", *(f"{each.name}=1" for each in late),
            title=f"{joins} joins {len(late)} networks at once",
        )  # fmt: skip
        for service in late:
            (task,) = wait(service.converged(replicas=1, on=joins), within=READY_S)
            took.append(_joined_after_s(joins, task.container))
            evidence.write(Joined(joins.name, service.name, took[-1]))
    seen = sum(seconds >= LATE_S for seconds in took)
    evidence.write(FindingTried(FINDING, HOW, trials=len(took), seen=seen))


def _joined_after_s(node: Node, container: str) -> float:
    """From the creation of the container's network on that machine to the container's start.

    Both by its engine's clock.
    """
    api = node.engine.api
    told = api.inspect_container(container)
    (network,) = (each["NetworkID"] for each in told["NetworkSettings"]["Networks"].values())
    created = datetime.fromisoformat(api.inspect_network(network)["Created"])
    started = datetime.fromisoformat(told["State"]["StartedAt"])
    return round((started - created).total_seconds(), 1)
