"""`make finding_two_identities`: how often a machine gets another one's certificate."""

import pytest

from pytest_swarmlab.evidence.observer import Observe
from pytest_swarmlab.faults import Faults
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm.cluster import Swarm
from pytest_swarmlab.waiting.waiter import Waiter
from tests.findings.two_identities import HOW, move_leadership


@pytest.mark.parametrize("how", HOW)
def test_leadership_moves_while_a_follower_does_not_know(
    how: str,
    repetition: int,
    swarm: Swarm,
    faults: Faults,
    wait: Waiter,
    observe: Observe,
    evidence: Evidence,
) -> None:
    """Whether it is seen or not: it is counted, and the cluster replaced where it was."""
    del repetition
    move_leadership(swarm, how, faults=faults, wait=wait, observe=observe, evidence=evidence)
