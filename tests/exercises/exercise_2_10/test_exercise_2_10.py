"""Exercice 2.10: the whole shop, under orders, while it is broken in every way the lab has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from pytest_swarmlab.clients.ledger import NewLedger
from pytest_swarmlab.clients.probe import Probe
from pytest_swarmlab.evidence.observer import Observe
from pytest_swarmlab.faults import Faults
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm.cluster import Swarm
from pytest_swarmlab.swarm.configs import Configs
from pytest_swarmlab.swarm.secrets import Secrets
from pytest_swarmlab.swarm.stacks import Stacks
from pytest_swarmlab.waiting.waiter import Waiter

from . import events, perform, steps
from .books import Books
from .client import Shop
from .drill import Drill
from .literal import Literal
from .load import Crowd
from .setting import DATABASE
from .trials import Trials
from .verify import exercise
from .visit import Visits

pytestmark = [pytest.mark.exercise_2_10, pytest.mark.exercise(exercise)]


@pytest.fixture
def shop(swarm: Swarm) -> Iterator[Shop]:
    """The shop, as its customers reach it."""
    reached = Shop(swarm.nodes, swarm.recorder)
    yield reached
    reached.close()


def test_no_order_is_lost(
    swarm: Swarm,
    shop: Shop,
    stack: Stacks,
    secret: Secrets,
    configs: Configs,
    faults: Faults,
    wait: Waiter,
    probe: Probe,
    ledger: NewLedger,
    observe: Observe,
    evidence: Evidence,
) -> None:
    """One shop, deployed once, goes through all that the lab has in store for it."""
    books = Books(perform.service(swarm, DATABASE))
    crowd = Crowd(shop, books, wait, probe, ledger, evidence)
    drill = Drill(swarm, stack, crowd, faults, wait, observe, evidence)
    phases = {
        "killed": drill.kill_each,
        "redis-away": drill.take_the_cache_away,
        "rabbitmq-away": drill.take_the_broker_away,
        "database-moved": drill.move_the_database,
        "rolled": drill.roll,
        "bad-update": drill.see_a_bad_update_rolled_back,
        "disk-full": drill.fill_the_disk,
        "power-off": drill.lose_power,
        "cut-off": drill.cut_off,
        "leader-lost": drill.lose_the_leader,
    }
    with ExitStack() as deployment:
        with evidence.judged(exercise, "deployed"):
            evidence.write(events.Begun())
            made = deployment.enter_context(perform.deployed(swarm, stack, secret, configs, wait))
            drill.open()
        with evidence.judged(exercise, "visited"):
            Visits(crowd, wait, evidence).through(swarm.nodes)
        for phase, do in phases.items():
            # Where nobody can do that to a machine, the rest can be proven all the same.
            if swarm.capabilities.issuperset(exercise.needs(phase)):
                with evidence.judged(exercise, phase):
                    do()
            else:
                evidence.judge(exercise, phase)
        trials = Trials(swarm, crowd, made.secrets, wait, evidence)
        with evidence.judged(exercise, "security"):
            trials.guard()
        with evidence.judged(exercise, "bad-input"):
            trials.refuse()
        with evidence.judged(exercise, "load"):
            steps.raise_load(crowd, wait, evidence)
        with evidence.judged(exercise, "counted"):
            drill.count()
        with evidence.judged(exercise, "persistence"):
            drill.redeploy(made)
    evidence.say_unproven()


def test_the_lab_s_own_file_serves_nobody(
    swarm: Swarm, stack: Stacks, secret: Secrets, configs: Configs, wait: Waiter, evidence: Evidence
) -> None:
    """Its commands and its file as they stand."""
    with evidence.judged(exercise, "literal"):
        Literal(swarm, stack, secret, configs, wait, evidence).deploy()
    evidence.say_unproven()
