"""The monitoring plan: one deployment, and all that it must tell of is done to the swarm."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from pytest_swarmlab.faults import Faults
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm.cluster import Swarm
from pytest_swarmlab.swarm.stacks import Stacks
from pytest_swarmlab.waiting.waiter import Waiter

from . import dashboards, prepare
from .drill import Drill
from .setting import NAME
from .verify import exercise

pytestmark = [pytest.mark.exercise(exercise)]


def test_each_alert_fires_and_is_over(
    swarm: Swarm, stack: Stacks, faults: Faults, wait: Waiter, evidence: Evidence
) -> None:
    """What is watched is broken, one thing after the other, and mended."""
    home, struck = swarm.workers()[:2]
    drill = Drill(swarm, home, struck, faults, wait, evidence)
    with ExitStack() as deployed:
        with evidence.judged(exercise, "deployed"):
            drill.keep_a_backup()
            deployed.callback(drill.drop_backups)
            deployed.enter_context(prepare.prepared(swarm, home, wait))
            watcher = drill.begin(prepare.deploy(stack))
            deployed.callback(stack.remove, NAME)
            dashboards.note_all(watcher, evidence)
        for phase, do in {
            "kept": drill.let_things_slip,
            "node-lost": drill.lose_a_worker,
            "quorum-edge": drill.come_to_the_edge,
            "quorum-lost": drill.lose_the_quorum,
            "certificate": drill.let_certificates_end,
        }.items():
            with evidence.judged(exercise, phase):
                do(watcher)
    evidence.say_unproven()
