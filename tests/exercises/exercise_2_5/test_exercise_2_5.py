"""Exercice 2.5: what was written is still there, whatever the site loses."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from pytest_swarmlab.clients.ledger import NewLedger
from pytest_swarmlab.clients.probe import Probe
from pytest_swarmlab.evidence.observer import Observe
from pytest_swarmlab.faults import Faults
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.model import Capability
from pytest_swarmlab.swarm.cluster import Swarm
from pytest_swarmlab.swarm.secrets import Secrets
from pytest_swarmlab.swarm.stacks import Stacks
from pytest_swarmlab.waiting.waiter import Waiter

from . import drill, perform
from .site import Site
from .verify import exercise

pytestmark = [pytest.mark.exercise_2_5, pytest.mark.exercise(exercise)]


@pytest.fixture
def site(swarm: Swarm) -> Iterator[Site]:
    """The site's author, who has not come yet."""
    author = Site(swarm.nodes, swarm.recorder)
    yield author
    author.close()


def test_what_was_written_survives(
    swarm: Swarm,
    site: Site,
    stack: Stacks,
    secret: Secrets,
    faults: Faults,
    wait: Waiter,
    probe: Probe,
    ledger: NewLedger,
    observe: Observe,
    evidence: Evidence,
) -> None:
    """One site, installed once, goes through all that the lab has in store for it."""
    blog = drill.Drill(swarm, site, stack, faults, wait, probe, ledger, observe, evidence)
    with ExitStack() as deployment:
        with evidence.judged(exercise, "installed"):
            values = deployment.enter_context(perform.deployed(swarm, stack, secret, wait))
            blog.install(values)
        with evidence.judged(exercise, "db-recreated"):
            blog.recreate_the_database()
        # Where nobody can cut a machine's power, the rest can be proven all the same.
        if Capability.POWER_OFF in swarm.capabilities:
            with evidence.judged(exercise, "node-lost"):
                blog.lose_the_node()
        else:
            evidence.judge(exercise, "node-lost")
        with evidence.judged(exercise, "rolled"):
            blog.roll()
        with evidence.judged(exercise, "scaled"):
            blog.scale()
        with evidence.judged(exercise, "salts"):
            blog.replay_cookies()
    evidence.say_unproven()


def test_a_stack_that_cannot_work_is_refused_and_leaves_nothing(
    swarm: Swarm, stack: Stacks, wait: Waiter, evidence: Evidence
) -> None:
    """Each file says in the engine's own words what is wrong with it."""
    with evidence.judged(exercise, "refusals"):
        drill.see_bad_files_refused(swarm, stack, wait=wait, evidence=evidence)
