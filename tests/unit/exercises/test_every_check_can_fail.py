"""A check that can't fail proves nothing: each of every exercise refuses some record.

`test_2_1.py` and its like show for each claim when it fails. Here every
declared check, in every phase, is held against runs that went wrong and runs that left gaps.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pytest_swarmlab import Exercise
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.exercise import Check
from pytest_swarmlab.model import Event, Verdict
from tests.exercises.exercise_2_1.verify import exercise as exercise_2_1
from tests.exercises.exercise_2_2.verify import exercise as exercise_2_2
from tests.exercises.exercise_2_3.verify import exercise as exercise_2_3
from tests.exercises.exercise_2_4.verify import exercise as exercise_2_4
from tests.exercises.exercise_2_5.verify import exercise as exercise_2_5
from tests.exercises.exercise_2_6.verify import exercise as exercise_2_6
from tests.exercises.exercise_2_7.verify import exercise as exercise_2_7
from tests.exercises.exercise_2_8.verify import exercise as exercise_2_8
from tests.exercises.exercise_2_9.verify import exercise as exercise_2_9
from tests.exercises.exercise_2_10.verify import exercise as exercise_2_10
from tests.exercises.monitoring.verify import exercise as monitoring
from tests.unit.exercises import (
    test_2_1,
    test_2_2,
    test_2_3,
    test_2_4,
    test_2_5,
    test_2_6,
    test_2_7,
    test_2_8,
    test_2_9,
    test_2_10,
    test_monitoring,
)
from tests.unit.records.editing import changed, kind, without
from tests.unit.records.identities import certificate_taken
from tests.unit.records.judge import ONLY_UNKNOWN, refusing
from tests.unit.records.synthetic import Drill, record

EXERCISES: tuple[Exercise, ...] = (
    exercise_2_1,
    exercise_2_2,
    exercise_2_3,
    exercise_2_4,
    exercise_2_5,
    exercise_2_6,
    exercise_2_7,
    exercise_2_8,
    exercise_2_9,
    exercise_2_10,
    monitoring,
)
CHECKS = [check for exercise in EXERCISES for check in exercise.checks]


def phase_of(check: Check) -> str:
    return check.phase.split("/")[1]


def claim_of(check: Check) -> str:
    return check.id.rsplit(".", 1)[1]


def good(check: Check) -> Record:
    """The record of a run in which that check's phase went well."""
    return _good(check.phase)


@functools.cache
def _good(phase: str) -> Record:
    number, name = phase.split("/")
    if number in WRONG:
        return GOOD[number](name)
    return record(test_2_2.GOOD[name])


def drill(phase: str, **how: Any) -> Record:
    usual: Drill = test_2_2.GOOD[phase.split("/")[1]]
    return record(replace(usual, **how))


MODULES = {
    "2.1": test_2_1,
    "2.3": test_2_3,
    "2.4": test_2_4,
    "2.5": test_2_5,
    "2.6": test_2_6,
    "2.7": test_2_7,
    "2.8": test_2_8,
    "2.9": test_2_9,
    "2.10": test_2_10,
    "monitoring": test_monitoring,
}
GOOD: dict[str, Callable[[str], Record]] = {
    number: module.good for number, module in MODULES.items()
}
WRONG = {number: refusing(module.BROKEN) for number, module in MODULES.items()}
NEVER = 500.0
LATE = {"heal": 100.0, "back": 110.0, "ends": 120.0}
"""Nobody mends it before it should have come."""
WRONG_2_2: tuple[Callable[[str], Record], ...] = (
    lambda phase: drill(phase, elected=NEVER, unreachable=NEVER, down=NEVER, restored=NEVER),
    lambda phase: drill(phase, unreachable=NEVER, down=NEVER, restored=NEVER, **LATE),
    lambda phase: changed(_good(phase), kind("request"), status=503),
    lambda phase: drill(phase, back=NEVER),
    lambda phase: certificate_taken(_good(phase)),
)


@functools.cache
def went_wrong(phase: str, how: int) -> Record:
    if wrong := WRONG.get(phase.split("/")[0]):
        return wrong[how](_good(phase))
    return WRONG_2_2[how](phase)


def ways(phase: str) -> range:
    return range(len(WRONG.get(phase.split("/")[0], WRONG_2_2)))


def verdict(check: Check, run: Record) -> Verdict:
    return check.result(run).verdict


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_a_check_refuses_a_run_that_went_wrong_and_passes_one_that_went_well(check: Check) -> None:
    assert verdict(check, good(check)) is Verdict.PASS
    if claim_of(check) in ONLY_UNKNOWN:
        assert verdict(check, without(good(check), kind("nodes"))) is Verdict.UNKNOWN
    else:
        runs = (went_wrong(check.phase, how) for how in ways(check.phase))
        assert any(verdict(check, run) is Verdict.FAIL for run in runs)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_a_check_needs_evidence_there_is_a_kind_of_event_that_it_cannot_do_without(
    check: Check,
) -> None:
    run = good(check)
    names = sorted({event.kind for event in run.phase(check.phase)}, reverse=True)
    assert any(verdict(check, without(run, kind(name))) is not Verdict.PASS for name in names)


@pytest.mark.parametrize(
    "check", [c for c in CHECKS if claim_of(c) not in ONLY_UNKNOWN], ids=lambda check: check.id
)
def test_no_check_of_the_swarm_passes_on_events_that_say_nothing(check: Check) -> None:
    run = good(check)
    mute = Record(tuple(replace(event, data={}) for event in run))
    assert verdict(check, mute) is not Verdict.PASS


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_no_check_passes_when_a_phase_was_begun_and_nothing_came_of_it(check: Check) -> None:
    began = Event(0, 0.0, "2026-05-04T10:00:00+00:00", "phase.started", check.phase, {})
    assert verdict(check, Record((began,))) is not Verdict.PASS


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_no_check_is_judged_on_another_phase(check: Check) -> None:
    elsewhere = Record(tuple(replace(e, phase="9.9/elsewhere") for e in good(check)))
    assert verdict(check, elsewhere) is Verdict.UNKNOWN


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
def test_what_a_check_claims_and_advises_is_written_down(exercise: Exercise) -> None:
    assert len({check.id for check in exercise.checks}) == len(exercise.checks)
    for check in exercise.checks:
        assert check.title
        assert check.expected
        assert check.hint
        assert check.id == f"{check.phase.replace('/', '.')}.{claim_of(check)}"


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
def test_measuring_a_record_of_nothing_gives_nothing_and_no_error(exercise: Exercise) -> None:
    assert exercise.measurements(Record(())) == {}
    for phase in {phase_of(check) for check in exercise.checks}:
        began = Event(0, 0.0, "", "phase.started", exercise.phase(phase), {})
        for measured in exercise.measurements(Record((began,))).values():
            seconds = {k: v for k, v in measured.items() if k.endswith("_s")}
            assert set(map(str, seconds.values())) <= {"None", "{}"}
