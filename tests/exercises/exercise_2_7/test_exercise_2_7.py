"""Exercice 2.7: a configuration is given, shared, and changed while visitors come."""

from contextlib import ExitStack

import pytest

from pytest_swarmlab.clients.probe import Probe
from pytest_swarmlab.evidence.observer import Observe
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm.cluster import Swarm
from pytest_swarmlab.swarm.configs import Configs
from pytest_swarmlab.swarm.secrets import Secrets
from pytest_swarmlab.swarm.stacks import Stacks
from pytest_swarmlab.waiting.waiter import Waiter

from . import drill, perform, under_load
from .verify import exercise

pytestmark = [pytest.mark.exercise_2_7, pytest.mark.exercise(exercise)]


def test_a_config_is_mounted_as_it_was_given(
    swarm: Swarm, configs: Configs, secret: Secrets, wait: Waiter, evidence: Evidence
) -> None:
    """Byte for byte, read-only, and, unlike a secret, shown by `inspect`."""
    with evidence.judged(exercise, "mount"):
        drill.see_what_is_mounted(
            swarm, configs=configs, secret=secret, wait=wait, evidence=evidence
        )


def test_one_config_serves_two_services_and_bad_ones_are_refused(
    swarm: Swarm, configs: Configs, stack: Stacks, wait: Waiter, evidence: Evidence
) -> None:
    """Sharing works; limits and mistakes are answered in the engine's own words."""
    with ExitStack() as services:
        with evidence.judged(exercise, "shared"):
            drill.create_shared(configs, evidence)
            both = services.enter_context(perform.two_readers(swarm, drill.SHARED))
            readers = drill.Readers(swarm, both, wait, evidence)
            readers.see_both_read_it()
        with evidence.judged(exercise, "refusals"):
            readers.see_it_protected()
            drill.see_bad_ones_refused(swarm, stack, configs, evidence)
    evidence.say_unproven()


def test_the_proxy_is_changed_and_nobody_is_turned_away(
    swarm: Swarm,
    configs: Configs,
    stack: Stacks,
    wait: Waiter,
    probe: Probe,
    observe: Observe,
    evidence: Evidence,
) -> None:
    """The lab's proxy, from its file as it stands to versions that are named by their content."""
    proxy = under_load.Proxy(swarm, stack, configs, wait, probe, observe, evidence)
    with evidence.judged(exercise, "no-backend"):
        proxy.start_without_a_backend()
    with evidence.judged(exercise, "switch"):
        proxy.switch()
    with evidence.judged(exercise, "rollback"):
        proxy.roll_back()
    with evidence.judged(exercise, "bad-config"):
        proxy.try_a_bad_one()
    with evidence.judged(exercise, "one-stop-first"):
        proxy.leave_one()
        proxy.switch_one()
    versions = under_load.Versions(proxy)
    with evidence.judged(exercise, "one-start-first"):
        versions.begin()
    with evidence.judged(exercise, "versioning"):
        versions.go_on()
    evidence.say_unproven()


def test_each_environment_has_its_own_configuration(
    swarm: Swarm, configs: Configs, stack: Stacks, wait: Waiter, evidence: Evidence
) -> None:
    """Development and production side by side, from one file and one image."""
    with evidence.judged(exercise, "environments"):
        drill.ask_each_environment(swarm, stack, configs=configs, wait=wait, evidence=evidence)
    evidence.say_unproven()
