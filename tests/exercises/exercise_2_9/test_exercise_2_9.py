"""Exercise 2.9: what a healthcheck sees, what Swarm does about it, and what it can't do."""

import pytest

from pytest_swarmlab.cluster import Swarm
from pytest_swarmlab.evidence.claims import Evidence
from pytest_swarmlab.secret import Secrets
from pytest_swarmlab.stacks import Stacks
from pytest_swarmlab.waits import Waiter
from tests.exercises.exercise_2_9 import application, perform
from tests.exercises.exercise_2_9.drill import Drill, Probe
from tests.exercises.exercise_2_9.outage import Outage
from tests.exercises.exercise_2_9.verify import exercise

pytestmark = [pytest.mark.exercise_2_9, pytest.mark.exercise(exercise)]


def test_an_ill_task_gets_no_visitors_and_a_successor(
    swarm: Swarm, wait: Waiter, probe: Probe, evidence: Evidence
) -> None:
    """Before it is healthy; when it becomes ill, five times; when an update is no good."""
    drill = Drill(swarm, wait, probe, evidence)
    with evidence.judged(exercise, "starting"):
        drill.open_one_after_the_other()
    with perform.test_health(swarm) as service:
        with evidence.judged(exercise, "heal"):
            drill.heal(service)
        with evidence.judged(exercise, "bad-update"):
            drill.see_bad_update_rolled_back(service)
    evidence.say_unproven()


def test_what_becomes_of_an_unhealthy_task(
    swarm: Swarm, secret: Secrets, wait: Waiter, probe: Probe, evidence: Evidence
) -> None:
    """How it ends decides whether it is replaced; a limit or a slow start can prevent healing."""
    drill = Drill(swarm, wait, probe, evidence)
    # What starts slowly, and the slot that stays empty, are left alone meanwhile.
    with (
        evidence.judged(exercise, "slow-start"),
        drill.slow_start(),
        evidence.judged(exercise, "exit-0"),
        drill.trap(),
        evidence.judged(exercise, "endings"),
    ):
        drill.see_them_end(secret)
    evidence.say_unproven()


def test_an_api_lives_on_while_what_it_needs_is_away(
    swarm: Swarm, secret: Secrets, stack: Stacks, wait: Waiter, probe: Probe, evidence: Evidence
) -> None:
    """The lab's stack: its database hangs; Redis goes, with the lab's check and with another."""
    with application.deployed(stack, secret) as deployed:
        outage = Outage(swarm, deployed, wait, probe, evidence)
        with evidence.judged(exercise, "database"):
            outage.freeze_the_database()
        with evidence.judged(exercise, "cascade"):
            outage.lose_redis()
    evidence.say_unproven()
