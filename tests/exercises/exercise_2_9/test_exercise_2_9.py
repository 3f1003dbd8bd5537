"""Exercise 2.9: what a healthcheck sees, what Swarm does about it, and what it can't do."""

import pytest

from pytest_swarmlab.clients.probe import Probe
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm.cluster import Swarm
from pytest_swarmlab.swarm.secrets import Secrets
from pytest_swarmlab.swarm.stacks import Services, Stacks
from pytest_swarmlab.waiting.waiter import Waiter

from . import application, perform
from .drill import Drill
from .outage import Outage
from .verify import exercise

pytestmark = [pytest.mark.exercise_2_9, pytest.mark.exercise(exercise)]


def test_an_ill_task_gets_no_visitors_and_a_successor(
    swarm: Swarm, wait: Waiter, probe: Probe, evidence: Evidence
) -> None:
    """Before it is healthy; when it becomes ill, five times; when an update is no good."""
    drill = Drill(swarm, wait, probe, evidence)
    with Services.removed(swarm) as services:
        with evidence.judged(exercise, "starting"):
            gated = drill.open_one_after_the_other(services)
        with evidence.judged(exercise, "heal"):
            service = perform.test_health(services)
            services.let_go(gated)
            drill.heal(service)
        with evidence.judged(exercise, "bad-update"):
            drill.see_bad_update_rolled_back(service)
    evidence.say_unproven()


def test_what_becomes_of_an_unhealthy_task(
    swarm: Swarm, secret: Secrets, wait: Waiter, probe: Probe, evidence: Evidence
) -> None:
    """A task's exit decides whether it is replaced; a limit or a slow start can prevent healing."""
    drill = Drill(swarm, wait, probe, evidence)
    # What starts slowly, and what ends by and by, is left alone meanwhile.
    with (
        Services.removed(swarm) as services,
        evidence.judged(exercise, "slow-start"),
        drill.slow_start(services),
        evidence.judged(exercise, "endings"),
        drill.endings(services, secret),
        evidence.judged(exercise, "exit-0"),
    ):
        drill.see_the_trap(services)
    evidence.say_unproven()


def test_an_api_lives_on_while_what_it_needs_is_away(
    swarm: Swarm, secret: Secrets, stack: Stacks, wait: Waiter, probe: Probe, evidence: Evidence
) -> None:
    """The lab's stack: its database hangs; Redis goes, with the lab's check and with another."""
    with evidence.judged(exercise, "database"):
        deployed = application.deploy(stack, secret)
        outage = Outage(swarm, stack, deployed, wait, probe, evidence)
        outage.freeze_the_database()
    with evidence.judged(exercise, "cascade"):
        outage.lose_redis()
    evidence.say_unproven()
