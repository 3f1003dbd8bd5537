"""Exercice 2.6: what is secret stays so, and is replaced without anybody noticing."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from pytest_swarmlab.clients.probe import Probe
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm.cluster import Swarm
from pytest_swarmlab.swarm.configs import Configs
from pytest_swarmlab.swarm.secrets import Secrets
from pytest_swarmlab.swarm.stacks import Stacks
from pytest_swarmlab.waiting.waiter import Waiter

from . import application, drill, perform, search, setting
from .verify import exercise

pytestmark = [pytest.mark.exercise_2_6, pytest.mark.exercise(exercise)]


def test_a_secret_is_shown_to_its_container_alone(
    swarm: Swarm, secret: Secrets, wait: Waiter, evidence: Evidence
) -> None:
    """Created in the lab's three ways, mounted in memory, found nowhere else."""
    home = swarm.workers()[0]
    with ExitStack() as there:
        with evidence.judged(exercise, "created"):
            values = there.enter_context(drill.created(swarm, secret, evidence))
        with evidence.judged(exercise, "mounted"):
            service = there.enter_context(perform.vault(swarm, home))
            drill.see_them_mounted(service, home, values, wait=wait, evidence=evidence)
        with evidence.judged(exercise, "plaintext"):
            canary = values[setting.CANARY]
            container = drill.container_of(service, home, wait)
            search.look_for_the_plaintext(swarm, container, home, canary, evidence=evidence)


def test_what_cannot_be_a_secret_is_refused(
    swarm: Swarm, stack: Stacks, secret: Secrets, evidence: Evidence
) -> None:
    """Sizes, names, changes, uses: each in the engine's own words."""
    with evidence.judged(exercise, "refusals"):
        tries = drill.Refusals(swarm, secret, evidence)
        tries.sizes()
        tries.names()
        tries.changes()
        tries.use()
        tries.undeclared(stack)


def test_an_application_of_three_tiers(
    swarm: Swarm,
    stack: Stacks,
    secret: Secrets,
    configs: Configs,
    wait: Waiter,
    probe: Probe,
    evidence: Evidence,
    tmp_path: Path,
) -> None:
    """Certificate, API key and database password; two of them are rotated under load."""
    certificates = perform.Certificates([node.name for node in swarm.nodes], tmp_path)
    tiers = application.Tiers(swarm, secret, configs, certificates, wait, probe, evidence)
    with evidence.judged(exercise, "multitier"):
        tiers.values = perform.deploy(swarm, stack, secret, certificates, wait)
        tiers.use()
    with evidence.judged(exercise, "certificate"):
        tiers.rotate_certificate()
    with evidence.judged(exercise, "rotation"):
        tiers.rotate_password()
    with evidence.judged(exercise, "rollback"):
        tiers.roll_back()
