"""`make finding_lost_way`: how often a machine lacks a way to a surviving replica."""

from pytest_swarmlab.faults import Faults
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm.cluster import Swarm
from pytest_swarmlab.waiting.waiter import Waiter
from tests.findings.lost_way import kill_the_leaders_engine


def test_the_leaders_engine_is_killed(
    repetition: int, swarm: Swarm, faults: Faults, wait: Waiter, evidence: Evidence
) -> None:
    """Whether a way is lost or not: it is counted."""
    del repetition
    kill_the_leaders_engine(swarm, faults=faults, wait=wait, evidence=evidence)
