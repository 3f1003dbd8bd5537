"""A cluster with the reference solution on it, as somebody who hands it in would deploy it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pytest_swarmlab.errors import ProviderError
from pytest_swarmlab.evidence.events import SubmissionStep, each
from pytest_swarmlab.marking import declared
from pytest_swarmlab.marking.submission import Submission
from pytest_swarmlab.submitted.bringing import bring
from pytest_swarmlab.swarm.cluster import Swarm
from pytest_swarmlab.waiting.conditions import brief, no_answer
from pytest_swarmlab.waiting.waiter import Done, Pending, Waiter, done, pending
from tests.marking.assemble import REFERENCE

NAMES = {
    "wordpress-stack.yml": "wp",
    "health-stack.yml": "health",
    "proxy-stack.yml": "proxy",
    "multitier-stack.yml": "multitier",
    "ecommerce-stack.yml": "ecommerce",
}
"""Stack file → the stack's name."""

READY_S = 300.0


def furnish(swarm: Swarm, wait: Waiter) -> None:
    """Bring the reference onto a new cluster, as its swarmlab.yml says.

    Raises ProviderError where one of its steps fails, NotConverged where something does not run.
    """
    submission = Submission.read(REFERENCE)
    bring(submission, declared.read(submission).steps, swarm)
    failed = [s for s in each(swarm.recorder.view(), SubmissionStep) if s.code != 0]
    if failed:
        raise ProviderError(f"a step of the reference failed: {failed[0]}")
    wait(Settled(swarm), within=READY_S)


@dataclass(frozen=True)
class Settled:
    """Condition: every service's tasks are what its definition says, and all that it asks for."""

    swarm: Swarm
    node: None = None
    name: str = "every service is what its definition says"

    def __call__(self) -> Done[None] | Pending:
        """Look once."""
        try:
            seen_from, _ = self.swarm.look()
            api = seen_from.engine.api
            services, tasks = api.services(), api.tasks(filters={"desired-state": "running"})
        except no_answer() as error:
            return pending(brief(error))
        open_ones = [each["Spec"]["Name"] for each in services if not settled(each, tasks)]
        return pending(f"not yet: {', '.join(open_ones)}") if open_ones else done(None, "all are")


def settled(service: dict[str, Any], tasks: Sequence[dict[str, Any]]) -> bool:
    """Whether no update of it is under way, and all its tasks run by its present definition."""
    state = (service.get("UpdateStatus") or {}).get("State", "")
    meant = service["Spec"]["TaskTemplate"]["ContainerSpec"]
    running = [
        task
        for task in tasks
        if task["ServiceID"] == service["ID"] and task["Status"]["State"] == "running"
    ]
    wanted = service["Spec"]["Mode"].get("Replicated", {}).get("Replicas")
    return (
        state not in {"updating", "rollback_started"}
        and len(running) == wanted
        and all(task["Spec"]["ContainerSpec"] == meant for task in running)
    )
