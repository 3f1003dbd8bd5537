"""Exercice 2.2: the leader is lost in three ways, and once demoted."""

import pytest

from pytest_swarmlab.clients.probe import Probe
from pytest_swarmlab.evidence.observer import Observe
from pytest_swarmlab.faults import Faults
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm.cluster import Swarm
from pytest_swarmlab.waiting.waiter import Waiter

from . import drill
from .verify import exercise

pytestmark = [pytest.mark.exercise_2_2, pytest.mark.exercise(exercise)]


@pytest.mark.parametrize("how", drill.HOW)
def test_service_survives_leader_loss(
    how: str,
    swarm: Swarm,
    faults: Faults,
    wait: Waiter,
    probe: Probe,
    observe: Observe,
    evidence: Evidence,
) -> None:
    """Losing the Raft leader elects another and keeps the service up."""
    with evidence.judged(exercise, how), evidence.identities_of(swarm):
        drill.lose_the_leader(
            swarm, how, faults=faults, wait=wait, probe=probe, observe=observe, evidence=evidence
        )


def test_demotion_hands_leadership_over(
    swarm: Swarm,
    faults: Faults,
    wait: Waiter,
    probe: Probe,
    observe: Observe,
    evidence: Evidence,
) -> None:
    """Only a demotion transfers leadership; a stop, however graceful, is a failure to Raft."""
    with evidence.judged(exercise, "demotion"), evidence.identities_of(swarm):
        drill.demote_the_leader(
            swarm, faults=faults, wait=wait, probe=probe, observe=observe, evidence=evidence
        )
