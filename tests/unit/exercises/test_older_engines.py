"""What an older engine doesn't know is said of each check that needs it, by the check's name."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_swarmlab.judging.exercise import Exercise
from pytest_swarmlab.model import Capability, Verdict
from tests.exercises.exercise_2_1.verify import exercise as quorum
from tests.exercises.exercise_2_2.verify import exercise as failover
from tests.exercises.exercise_2_3.verify import exercise as local_volumes
from tests.exercises.exercise_2_4.verify import exercise as storage
from tests.exercises.exercise_2_5.verify import exercise as site
from tests.exercises.exercise_2_6.verify import exercise as secrets
from tests.exercises.exercise_2_7.verify import exercise as configs
from tests.exercises.exercise_2_9.verify import exercise as healing
from tests.exercises.exercise_2_10.verify import exercise as shop
from tests.unit.records.editing import events

OLDER = {str(c): c is not Capability.START_INTERVAL for c in Capability}
"""What a cluster of Docker 20.10 is able to do."""

STACKS = Path(__file__).parents[3] / "stacks"

WITHOUT = {
    site: {"refusals"},
    secrets: {"created", "mounted", "plaintext", "refusals"},
    configs: {"mount", "shared", "refusals"},
    healing: set[str](),
    shop: {"literal"},
}
"""Exercise → its phases that have no health check with a start interval."""


def unprovable(exercise: Exercise) -> set[str]:
    """Phases of whose checks each says that these engines are too old for it."""
    record = events("", ("cluster.ready", {"capabilities": OLDER}))
    said: dict[str, set[bool]] = {}
    for check, result in zip(exercise.checks, exercise.judge(record), strict=True):
        too_old = result.verdict is Verdict.NOT_PROVABLE and "API 1.44" in result.observed
        said.setdefault(check.phase.removeprefix(f"{exercise.id}/"), set()).add(too_old)
    assert all(len(each) == 1 for each in said.values()), said
    return {phase for phase, each in said.items() if each == {True}}


@pytest.mark.parametrize("exercise", WITHOUT, ids=lambda exercise: str(exercise.id))
def test_a_check_that_needs_a_newer_engine_says_so_by_name(exercise: Exercise) -> None:
    phases = {check.phase.removeprefix(f"{exercise.id}/") for check in exercise.checks}
    assert unprovable(exercise) == phases - WITHOUT[exercise]


@pytest.mark.parametrize(
    "exercise", [quorum, failover, local_volumes, storage], ids=lambda exercise: str(exercise.id)
)
def test_what_an_older_engine_knows_is_judged(exercise: Exercise) -> None:
    assert unprovable(exercise) == set()


def test_no_other_stack_file_has_a_health_check_with_a_start_interval() -> None:
    having = {path.name for path in STACKS.glob("*.yml") if "start_interval" in path.read_text()}
    assert having == {
        "wordpress-stack.yml",
        "multitier-stack.yml",
        "proxy-stack.yml",
        "environments-stack.yml",
        "health-stack.yml",
        "ecommerce-stack.yml",
        "monitoring-shop.yml",
        "monitoring-stack.yml",
    }
