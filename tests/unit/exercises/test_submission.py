"""Checks of the exercises judge drills on somebody's own services, by their names and numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.exercise import Exercise
from pytest_swarmlab.model import Event, Verdict
from tests.exercises.exercise_2_2.verify import exercise as exercise_2_2
from tests.exercises.exercise_2_4.verify import exercise as exercise_2_4
from tests.exercises.exercise_2_5.verify import NOT_INSTALLED
from tests.exercises.exercise_2_5.verify import exercise as exercise_2_5
from tests.exercises.exercise_2_8.verify import exercise as exercise_2_8
from tests.exercises.exercise_2_9.verify import exercise as exercise_2_9
from tests.exercises.whose import PLAYS
from tests.unit.exercises import test_2_2, test_2_4, test_2_5, test_2_8, test_2_9
from tests.unit.records.editing import changed, without

Good = Callable[[str], Record]

THEIRS = [
    (exercise_2_2, test_2_2.good, "power-off", "test-service", "test-ha", 5,
     ["replicas-restored", "service-answers", "surviving-replicas-lose-nothing"]),
    (exercise_2_5, test_2_5.good, "node-lost", "wordpress-database", "wp_db", 1,
     ["database-moves", "post", "no-write-lost", "writes-come-back"]),
]  # fmt: skip


def verdicts(exercise: Exercise, run: Record, phase: str) -> dict[str, Verdict]:
    return {r.id.rpartition(".")[2]: r.verdict for r in exercise.judge(run, phase)}


def renamed(run: Record, old: str, new: str) -> Record:
    """The same run with another name of a service."""

    def edit(event: Event) -> Event:
        return replace(event, data=json.loads(json.dumps(event.data).replace(old, new)))

    return Record(tuple(edit(event) for event in run.events))


def noted(run: Record, phase: str, kind: str, **data: Any) -> Record:
    """The run with one more event, the first of its phase."""
    first = next(n for n, e in enumerate(run.events) if e.phase == phase)
    said = replace(run.events[first], kind=kind, data=data)
    return Record((*run.events[:first], said, *run.events[first:]))


@pytest.mark.parametrize(
    ("exercise", "good", "phase", "role", "labs", "replicas", "checks"), THEIRS
)
def test_their_service_is_judged_by_its_own_name(
    exercise: Exercise, good: Good, phase: str, role: str, labs: str, replicas: int,
    checks: list[str],
) -> None:  # fmt: skip
    run = renamed(good(phase), labs, "theirs")
    whole = exercise.phase(phase)
    known = noted(run, whole, PLAYS, role=role, service="theirs", replicas=replicas)
    found = verdicts(exercise, known, phase)
    assert {found[check] for check in checks} == {Verdict.PASS}
    # Nobody guesses whose they are: without the note nothing was seen of the lab's own.
    assert Verdict.PASS not in {verdicts(exercise, run, phase)[checks[0]]}


def test_fewer_replicas_than_it_has_are_not_all_of_them() -> None:
    run, phase = test_2_2.good("power-off"), "2.2/power-off"
    more = noted(run, phase, PLAYS, role="test-service", service="test-ha", replicas=6)
    assert verdicts(exercise_2_2, more, "power-off")["replicas-restored"] == Verdict.FAIL


@pytest.mark.parametrize("phase", ["db-recreated", "node-lost"])
def test_a_site_that_can_t_be_installed_keeps_nothing(phase: str) -> None:
    run = test_2_5.good(phase)
    refused = noted(run, f"2.5/{phase}", NOT_INSTALLED, why="status 500 all along")
    found = verdicts(exercise_2_5, refused, phase)
    asked = {"post", "picture", "no-write-lost", "writes-come-back"}
    asked |= {"database-moves"} if phase == "node-lost" else set()
    assert {found[check] for check in asked} == {Verdict.FAIL}


def test_a_database_that_can_go_nowhere_does_not_take_its_data_along() -> None:
    run = test_2_4.good("nfs-volume")
    stuck = noted(run, "2.4/nfs-volume", "stuck", node="worker1", why="no other is labelled")
    assert verdicts(exercise_2_4, run, "nfs-volume")["data-follow"] == Verdict.PASS
    assert verdicts(exercise_2_4, stuck, "nfs-volume")["data-follow"] == Verdict.FAIL


@pytest.mark.parametrize(
    ("how", "verdict"),
    [
        ({"theirs": True}, Verdict.PASS),
        ({}, Verdict.UNKNOWN),
        ({"theirs": True, "code": 1, "said": "tar: no such file"}, Verdict.FAIL),
        ({"theirs": True, "code": None, "said": "it had not ended after 300 s"}, Verdict.FAIL),
    ],
)
def test_their_restore_need_not_check_a_backup_first_and_must_succeed(
    how: dict[str, Any], verdict: Verdict
) -> None:
    unchecked = without(test_2_8.good("disaster"), lambda e: e.kind == "verified")
    run = changed(unchecked, lambda e: e.kind == "restore", **how)
    assert verdicts(exercise_2_8, run, "disaster")["restored"] == verdict


def test_of_their_site_as_many_tasks_are_made_ill_as_it_has_and_of_the_labs_five() -> None:
    good = test_2_9.good("heal")
    ill = list(good.of("broken"))
    thrice = without(good, lambda e: e in ill[3:])
    theirs = noted(thrice, "2.9/heal", PLAYS, role="web", service="web", replicas=3)
    twice = without(theirs, lambda e: e == ill[1])
    for check in ("healed-in-its-slot", "detected-as-predicted", "replaced-as-predicted"):
        assert verdicts(exercise_2_9, theirs, "heal")[check] == Verdict.PASS
        assert verdicts(exercise_2_9, thrice, "heal")[check] == Verdict.UNKNOWN
        assert verdicts(exercise_2_9, twice, "heal")[check] == Verdict.UNKNOWN


def test_their_site_must_have_as_many_replicas_at_the_end_as_it_had() -> None:
    good = test_2_9.good("heal")
    four = noted(good, "2.9/heal", PLAYS, role="web", service="web", replicas=4)
    assert verdicts(exercise_2_9, four, "heal")["healed-in-its-slot"] == Verdict.FAIL
