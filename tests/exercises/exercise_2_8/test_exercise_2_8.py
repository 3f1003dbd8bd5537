"""Exercice 2.8: backups that can be trusted, and a destroyed cluster that is brought back equal."""

import pytest

from pytest_swarmlab.clients.ledger import NewLedger
from pytest_swarmlab.evidence.observer import Observe
from pytest_swarmlab.faults import Faults
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm.cluster import Swarm
from pytest_swarmlab.waiting.waiter import Waiter

from . import drill, lost, perform
from .verify import exercise

pytestmark = [pytest.mark.exercise_2_8, pytest.mark.exercise(exercise)]

# Each test takes its cluster to pieces: as a group of its own it may run in any worker.


@pytest.mark.xdist_group("refusals")
def test_a_broken_backup_is_refused_before_anything_is_touched(
    swarm: Swarm, wait: Waiter, evidence: Evidence
) -> None:
    """Ten backups that must not be restored, offered to a manager that works."""
    with evidence.judged(exercise, "refusals"):
        drill.offer_broken_backups(swarm, wait=wait, evidence=evidence)


@pytest.mark.xdist_group("trouble")
def test_a_backup_in_trouble_leaves_the_engine_as_it_was(
    swarm: Swarm, faults: Faults, wait: Waiter, evidence: Evidence
) -> None:
    """The leader's turn, a second run, no quorum, a full disk, kill -9, a broken engine."""
    with evidence.judged(exercise, "trouble"):
        drill.get_into_trouble(swarm, faults=faults, wait=wait, evidence=evidence)


@pytest.mark.xdist_group("update")
def test_a_backup_meets_a_rolling_update(swarm: Swarm, wait: Waiter, evidence: Evidence) -> None:
    """The update goes on, and the backup shows it under way."""
    with evidence.judged(exercise, "update"):
        drill.back_up_during_an_update(swarm, wait=wait, evidence=evidence)
    perform.remove(swarm)


@pytest.mark.xdist_group("disaster")
def test_a_destroyed_cluster_is_brought_back_equal(
    swarm: Swarm, faults: Faults, wait: Waiter, observe: Observe, evidence: Evidence
) -> None:
    """Every machine is thrown away; one new one, at the old address, is the old swarm again."""
    with evidence.judged(exercise, "disaster"):
        lost.lose_everything_and_restore(
            swarm, faults=faults, wait=wait, observe=observe, evidence=evidence
        )
    perform.remove(swarm)


@pytest.mark.xdist_group("quorum-lost")
def test_a_lost_quorum_is_recovered_from_the_survivor(
    swarm: Swarm, faults: Faults, wait: Waiter, evidence: Evidence
) -> None:
    """No backup is needed while one manager is left."""
    with evidence.judged(exercise, "quorum-lost"), evidence.identities_of(swarm):
        lost.lose_the_quorum_and_force_a_new_cluster(
            swarm, faults=faults, wait=wait, evidence=evidence
        )
    perform.remove(swarm)


@pytest.mark.xdist_group("autolock")
def test_an_autolocked_swarm_is_restored_with_its_key(
    swarm: Swarm, faults: Faults, wait: Waiter, evidence: Evidence
) -> None:
    """Locked, wrong key, right key."""
    with evidence.judged(exercise, "autolock"):
        lost.restore_a_locked_swarm(swarm, faults=faults, wait=wait, evidence=evidence)


@pytest.mark.xdist_group("hot")
@pytest.mark.swarm(managers=1, workers=0)
def test_a_hot_backup_is_judged(
    swarm: Swarm, faults: Faults, wait: Waiter, ledger: NewLedger, evidence: Evidence
) -> None:
    """Can it be restored, and what of the decisions that were acknowledged does it hold?"""
    with evidence.judged(exercise, "hot"):
        lost.take_a_hot_backup(swarm, faults=faults, wait=wait, ledger=ledger, evidence=evidence)
