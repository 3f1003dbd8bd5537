"""`make finding_late_sync`: how often a container waits 30 s for its network's names."""

from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm.cluster import Swarm
from pytest_swarmlab.swarm.stacks import Stacks
from pytest_swarmlab.waiting.waiter import Waiter
from tests.findings.late_sync import join_networks_at_once


def test_a_machine_joins_networks_at_once(
    repetition: int, swarm: Swarm, stack: Stacks, wait: Waiter, evidence: Evidence
) -> None:
    """Whether one comes late or not: it is counted."""
    del repetition
    join_networks_at_once(swarm, stack=stack, wait=wait, evidence=evidence)
