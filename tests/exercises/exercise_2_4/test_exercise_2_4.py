"""Exercice 2.4: data that follow their container, and what they cost."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from pytest_swarmlab.faults import Faults
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm.cluster import Swarm
from pytest_swarmlab.swarm.secrets import Secrets
from pytest_swarmlab.waiting.waiter import Waiter

from . import drill, perform
from .verify import exercise

pytestmark = [pytest.mark.exercise_2_4, pytest.mark.exercise(exercise)]


def test_the_share_is_there_on_every_node(swarm: Swarm, evidence: Evidence) -> None:
    """Option A as the lab sets it up: package, export, fstab, mount."""
    with evidence.judged(exercise, "share"), drill.share(swarm) as server:
        drill.look_at_the_share(swarm, server, evidence)


@pytest.mark.parametrize("kind", perform.STORAGES)
def test_where_the_data_are_when_the_container_has_moved(
    swarm: Swarm,
    kind: str,
    secret: Secrets,
    faults: Faults,
    wait: Waiter,
    ledger: drill.Ledgers,
    evidence: Evidence,
) -> None:
    """A database on each kind of storage: its server lost under writes, then sent elsewhere."""
    with evidence.judged(exercise, kind), perform.STORAGES[kind](swarm) as storage:
        drill.follow_the_data(
            swarm,
            storage,
            secret=secret,
            faults=faults,
            wait=wait,
            ledger=ledger,
            evidence=evidence,
        )


def test_mistakes_are_told(swarm: Swarm, wait: Waiter, evidence: Evidence) -> None:
    """Missing paths, missing exports, and changed options."""
    with evidence.judged(exercise, "mistakes"):
        drill.make_the_mistakes(swarm, wait=wait, evidence=evidence)


def test_root_is_not_root_everywhere(
    swarm: Swarm, secret: Secrets, wait: Waiter, evidence: Evidence
) -> None:
    """The lab's question about permissions, answered by trying both."""
    with evidence.judged(exercise, "root-squash"):
        drill.squash_root(swarm, secret=secret, wait=wait, evidence=evidence)


def test_the_server_is_a_single_point_of_failure(
    swarm: Swarm, faults: Faults, wait: Waiter, evidence: Evidence
) -> None:
    """Clients during the outage, and the recovery."""
    with evidence.judged(exercise, "server-away"):
        drill.lose_the_server(swarm, faults=faults, wait=wait, evidence=evidence)


def test_the_plugin(
    swarm: Swarm,
    secret: Secrets,
    faults: Faults,
    wait: Waiter,
    ledger: drill.Ledgers,
    evidence: Evidence,
) -> None:
    """Option B, installed once: when Swarm places tasks that need it, then a database on it, its
    driver killed, and what it refuses.

    The last: engines that have used a plugin look for it until they are restarted, 15 s at each
    volume that they don't know, so that the next test gets a new cluster.
    """
    with ExitStack() as plugin:
        with evidence.judged(exercise, "plugin-scheduling"):
            drill.activate_the_plugin(swarm, plugin, wait=wait, evidence=evidence)
        with evidence.judged(exercise, "plugin"):
            drill.follow_the_data(
                swarm, perform.PLUGIN, secret=secret, faults=faults, wait=wait, ledger=ledger,
                evidence=evidence,
            )  # fmt: skip
        with evidence.judged(exercise, "plugin-killed"):
            drill.kill_the_driver(swarm, wait=wait, evidence=evidence)
        with evidence.judged(exercise, "plugin-refusals"):
            drill.try_bad_volumes(swarm, evidence=evidence)
