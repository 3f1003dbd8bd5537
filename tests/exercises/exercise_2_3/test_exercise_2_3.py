"""Exercice 2.3: a local volume stays where it is, and so does what was written to it."""

import pytest

from pytest_swarmlab.evidence.observer import Observe
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm.cluster import Swarm
from pytest_swarmlab.swarm.secrets import Secrets
from pytest_swarmlab.waiting.waiter import Waiter

from . import drill
from .verify import exercise

pytestmark = [pytest.mark.exercise_2_3, pytest.mark.exercise(exercise)]


def test_the_literal_command_gives_no_database(
    swarm: Swarm, wait: Waiter, evidence: Evidence
) -> None:
    """The lab's command forgets the password, and the image refuses to do without."""
    with evidence.judged(exercise, "literal"):
        worker = swarm.workers()[0]
        drill.see_the_literal_command_fail(swarm, worker, wait=wait, evidence=evidence)


def test_data_stays_on_its_node(
    swarm: Swarm, secret: Secrets, wait: Waiter, observe: Observe, evidence: Evidence
) -> None:
    """A row written on one worker is absent on another, and there again on the first."""
    with evidence.judged(exercise, "local-volume"):
        home, other, *_ = swarm.workers()
        drill.move_the_database(
            swarm, home, other, secret=secret, wait=wait, observe=observe, evidence=evidence
        )
