"""The monitoring plan: one deployment, and a fault for each of its alerts."""

from __future__ import annotations

from contextlib import ExitStack, closing

import pytest

from pytest_swarmlab.clients.ledger import NewLedger
from pytest_swarmlab.clients.probe import Probe
from pytest_swarmlab.faults import Faults
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm.cluster import Swarm
from pytest_swarmlab.swarm.configs import Configs
from pytest_swarmlab.swarm.secrets import Secrets
from pytest_swarmlab.swarm.stacks import Stacks
from pytest_swarmlab.waiting.waiter import Waiter

from ..exercise_2_10 import perform
from ..exercise_2_10.books import Books
from ..exercise_2_10.client import Shop
from ..exercise_2_10.load import Crowd
from ..exercise_2_10.setting import DATABASE
from . import dashboards, prepare
from .beside import Beside
from .drill import Drill
from .setting import DASHBOARDS, NAME, SHOP_DASHBOARDS
from .verify import exercise

pytestmark = [pytest.mark.exercise(exercise)]


def test_each_alert_fires_and_is_over(
    swarm: Swarm,
    stack: Stacks,
    secret: Secrets,
    configs: Configs,
    faults: Faults,
    wait: Waiter,
    probe: Probe,
    ledger: NewLedger,
    evidence: Evidence,
) -> None:
    """Faults are injected and healed one after the other."""
    home, struck = swarm.workers()[:2]
    drill = Drill(swarm, home, struck, faults, wait, evidence)
    with ExitStack() as deployed:
        customers = deployed.enter_context(closing(Shop(swarm.nodes, swarm.recorder)))
        books = Books(perform.service(swarm, DATABASE))
        crowd = Crowd(customers, books, wait, probe, ledger, evidence)
        with evidence.judged(exercise, "deployed"):
            deployed.callback(drill.drop_backups)
            drill.keep_a_backup()
            deployed.enter_context(prepare.prepared(swarm, home, wait))
            began = evidence.now()
            watcher = drill.begin(prepare.deploy(stack))
            deployed.callback(stack.remove, NAME)
            dashboards.note_all(watcher, DASHBOARDS, wait=wait, evidence=evidence)
        for phase, do in {
            "kept": drill.let_things_slip,
            "node-lost": drill.lose_a_worker,
            "quorum-edge": drill.come_to_the_edge,
            "quorum-lost": drill.lose_the_quorum,
            "certificate": drill.let_certificates_end,
        }.items():
            with evidence.judged(exercise, phase):
                do(watcher)
        with evidence.judged(exercise, "shop"):
            beside = Beside(drill, watcher, crowd, probe)
            deployed.enter_context(perform.deployed(swarm, stack, secret, configs, wait))
            # The shop's networks go after those who are in them.
            deployed.callback(stack.remove, NAME)
            beside.begin(stack)
            dashboards.note_all(watcher, SHOP_DASHBOARDS, wait=wait, evidence=evidence)
        with evidence.judged(exercise, "shop-front"):
            beside.lose_the_front()
        with evidence.judged(exercise, "shop-errors"):
            beside.let_the_database_hang()
            dashboards.draw_all(watcher, of_s=evidence.now() - began, evidence=evidence)
    evidence.say_unproven()
