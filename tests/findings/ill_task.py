"""New tasks become ill while they start, and their program ends with 0 when it is told to stop.

An engine that waits for such a task's first `healthy` may take that end for a start that is done;
for a moment the task counts as running then, and `start-first` stops the replica that it was to
replace (docs/findings.md, ill-task-runs). Which replicas were stopped stays visible.
"""

from pytest_swarmlab.evidence.events import FindingTried
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm.cluster import Swarm
from pytest_swarmlab.swarm.services import Services
from pytest_swarmlab.waiting.waiter import Waiter

FINDING = "ill-task-runs"
HOW = "start-first"

REPLICAS = 10
"""Trials of one repetition: each replica's successor is one."""

READY_S = 90

ILL = (
    "--health-cmd", "exit 1",
    "--health-interval", "1s",
    "--health-timeout", "10s",
    "--health-retries", "1",
    "--update-order", "start-first",
    "--update-parallelism", "0",
    "--update-failure-action", "continue",
)  # fmt: skip


def update_to_what_is_ill(swarm: Swarm, *, wait: Waiter, evidence: Evidence) -> None:
    """Count the replicas that were stopped for a successor that never was healthy."""
    with Services.removed(swarm) as services:
        service = services.create(
            "serving",
            "--replicas", str(REPLICAS),
            # What has ended stays as it is, to be counted.
            "--restart-condition", "none",
            "nginx:alpine",
        )  # fmt: skip
        before = {task.id for task in wait(service.converged(replicas=REPLICAS), within=READY_S)}
        service.update(*ILL, title="An update to a check that can't succeed")
        wait(service.ended(at_least=REPLICAS), within=READY_S)
        evidence.tasks(swarm, service.name)
        tasks = service.tasks()
    stopped = [t for t in tasks if t.id in before and t.desired != "running"]
    ended = [t for t in tasks if t.id not in before and t.state == "complete"]
    evidence.write(FindingTried(FINDING, HOW, trials=len(ended), seen=len(stopped)))
