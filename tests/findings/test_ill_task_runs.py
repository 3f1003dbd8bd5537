"""`make finding_ill_task_runs`: how often an ill new task counts as running for a moment."""

from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm.cluster import Swarm
from pytest_swarmlab.waiting.waiter import Waiter
from tests.findings.ill_task import update_to_what_is_ill


def test_an_update_to_what_is_ill(
    repetition: int, swarm: Swarm, wait: Waiter, evidence: Evidence
) -> None:
    """Whether a replica is stopped for it or not: it is counted."""
    del repetition
    update_to_what_is_ill(swarm, wait=wait, evidence=evidence)
