"""A check that can't fail proves nothing: each of every exercise needs what it reads.

`test_2_1.py` and its like show for each claim when it passes and when it fails. Here every declared
check, in every phase, is held against runs that left gaps.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from fnmatch import fnmatchcase

import pytest

from pytest_swarmlab import Exercise
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.exercise import Check
from pytest_swarmlab.model import Event, Verdict
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
from tests.unit.records.declared import kinds_read
from tests.unit.records.editing import kind, without
from tests.unit.records.judge import ONLY_UNKNOWN

MODULES = {
    module.exercise.id: module
    for module in (
        test_2_1, test_2_2, test_2_3, test_2_4, test_2_5, test_2_6, test_2_7, test_2_8, test_2_9,
        test_2_10, test_monitoring,
    )
}  # fmt: skip
EXERCISES: tuple[Exercise, ...] = tuple(module.exercise for module in MODULES.values())
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
    run: Record = MODULES[number].good(name)
    return run


def verdict(check: Check, run: Record) -> Verdict:
    return check.result(run).verdict


WITHOUT: dict[tuple[str, str], Verdict] = {
    ("2.1.[ot]*.identities-kept", "fault.healed"): Verdict.PASS,
    ("2.1.*.identities-kept", "fault.injected"): Verdict.PASS,
    ("2.1.*.membership", "fault.injected"): Verdict.PASS,
    ("2.1.*.one-view", "fault.injected"): Verdict.PASS,
    ("2.1.*.last-manager-stays", "fault.injected"): Verdict.PASS,
    ("2.2.*.identities-kept", "fault.*"): Verdict.PASS,
    ("2.2.*.leader-elected", "fault.healed"): Verdict.PASS,
    ("2.2.*.old-leader-unreachable", "fault.healed"): Verdict.PASS,
    ("2.2.*.node-down", "fault.healed"): Verdict.PASS,
    ("2.2.*.replicas-restored", "fault.healed"): Verdict.PASS,
    ("2.2.demotion.leadership-handed-over", "fault.healed"): Verdict.PASS,
    ("2.2.[gkp]*", "ping"): Verdict.PASS,
    ("2.2.*.surviving-replicas-lose-nothing", "tasks"): Verdict.PASS,
    ("2.8.quorum-lost.*", "fault.healed"): Verdict.PASS,
    ("2.9.exit-0.slot-stays-empty", "command"): Verdict.PASS,
    ("2.10.leader-lost.identities-kept", "fault.*"): Verdict.PASS,
    ("2.10.*.node-gone-and-back", "recovered"): Verdict.PASS,
    ("2.10.leader-lost.another-leads", "recovered"): Verdict.PASS,
    ("2.10.persistence.waited-for-a-worker", "back"): Verdict.PASS,
    ("2.8.quorum-lost.identities-kept", "fault.injected"): Verdict.FAIL,
    ("2.9.cascade.lab-s-check-takes-all-down", "engine"): Verdict.FAIL,
    ("2.10.visited.order-kept", "visit-order"): Verdict.FAIL,
    ("2.10.rabbitmq-away.kept-without-a-broker", "entry"): Verdict.FAIL,
}
"""Check and kind of event → the verdict without all of that kind, if it is not unknown.

What fails without is claimed to have come: that it did not is seen. What passes reads it beside
other evidence, or for the end of what it is about.
"""


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_without_a_kind_of_event_that_it_reads_a_check_is_unknown(check: Check) -> None:
    run = good(check)
    kinds = kinds_read(check, run)
    assert kinds
    for name in kinds:
        found = verdict(check, without(run, kind(name)))
        usual = (
            each
            for (claim, of), each in WITHOUT.items()
            if fnmatchcase(check.id, claim) and fnmatchcase(name, of)
        )
        assert found is next(usual, Verdict.UNKNOWN), name


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
