"""Every check of exercise 2.3 passes on a good run's record and fails on a broken one's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.model import Event, Verdict
from tests.exercises.exercise_2_3.verify import exercise
from tests.unit.records.editing import changed, events, without

Row = tuple[str, dict[str, Any]]

REFUSED = (
    "Error: Database is uninitialized and superuser password is not specified.\n"
    "       You must specify POSTGRES_PASSWORD"
)


def tasks(task: str, node: str) -> Row:
    running = {"id": task, "slot": 1, "node": node, "state": "running", "desired": "running"}
    return "tasks", {"service": "db-local", "tasks": [running]}


def databases(step: str, node: str, container: str, *names: str) -> Row:
    listed = ["postgres", *names]
    return "databases", {"step": step, "node": node, "container": container, "names": listed}


def sent(*words: str) -> Row:
    return "command", {"node": "manager1", "argv": ["docker", "service", "update", *words]}


RUNS: dict[str, list[Row]] = {
    "literal": [("container", {"said": REFUSED, "exit_code": 1, "error": "task: non-zero exit"})],
    "local-volume": [
        databases("written", "worker1", "c1", "testdb"),
        tasks("t1", "worker1"),
        sent("--constraint-rm"),
        tasks("t1", "worker1"),
        sent("--constraint-add"),
        databases("moved", "worker2", "c2"),
        ("volume", {"node": "worker1", "listed": "local  mydata", "holds_data": True}),
        sent("--constraint-rm", "--constraint-add"),
        databases("back", "worker1", "c3", "testdb"),
    ],
}  # fmt: skip


def good(phase: str) -> Record:
    return events(f"2.3/{phase}", *RUNS[phase])


@pytest.mark.parametrize("phase", RUNS)
def test_a_good_run_passes_every_check(phase: str) -> None:
    results = exercise.judge(good(phase), phase)
    assert {r.id: r.observed for r in results if r.verdict is not Verdict.PASS} == {}


def step(name: str) -> Callable[[Event], bool]:
    return lambda event: event.data.get("step") == name


def kind(name: str) -> Callable[[Event], bool]:
    return lambda event: event.kind == name


def moved_at_once() -> Record:
    run = good("local-volume")
    last = run.of("tasks")[-1]
    return changed(run, lambda e: e is last, tasks=tasks("t2", "worker2")[1]["tasks"])


VOLUME = "local-volume"
BROKEN: dict[tuple[str, str, str], Callable[[], Record]] = {
    ("literal", "refused-without-a-password", "fail"): lambda: changed(
        good("literal"), kind("container"), said="database system is ready", exit_code=0
    ),
    (VOLUME, "written", "fail"): lambda: changed(good(VOLUME), step("written"), names=["postgres"]),
    (VOLUME, "constraint-rm-moves-nothing", "fail"): moved_at_once,
    (VOLUME, "constraint-rm-moves-nothing", "unknown"): lambda: without(
        good(VOLUME), kind("tasks")
    ),
    (VOLUME, "row-absent-elsewhere", "fail"): lambda: changed(
        good(VOLUME), step("moved"), names=["postgres", "testdb"]
    ),
    (VOLUME, "row-absent-elsewhere", "unknown"): lambda: changed(
        good(VOLUME), step("moved"), names=[]
    ),
    (VOLUME, "volume-stays-behind", "fail"): lambda: changed(
        good(VOLUME), kind("volume"), holds_data=False
    ),
    (VOLUME, "row-returns", "fail"): lambda: changed(
        good(VOLUME), step("back"), names=["postgres"]
    ),
}


@pytest.mark.parametrize("case", BROKEN, ids=".".join)
def test_a_broken_run_does_not_pass(case: tuple[str, str, str]) -> None:
    phase, check, verdict = case
    found = {r.id: r.verdict for r in exercise.judge(BROKEN[case](), phase)}
    assert found[f"2.3.{phase}.{check}"] == verdict


def test_a_service_that_stayed_where_it_was_has_not_moved() -> None:
    run = changed(good(VOLUME), step("moved"), node="worker1")
    found = {r.id: r.verdict for r in exercise.judge(run, VOLUME)}
    assert found["2.3.local-volume.row-absent-elsewhere"] is Verdict.FAIL


def test_the_same_container_is_no_return() -> None:
    run = changed(good(VOLUME), step("back"), container="c1")
    found = {r.id: r.verdict for r in exercise.judge(run, VOLUME)}
    assert found["2.3.local-volume.row-returns"] is Verdict.FAIL


def test_no_check_is_without_a_run_that_it_refuses() -> None:
    declared = {check.id.rsplit(".", 1)[1] for check in exercise.checks}
    assert declared == {check for _, check, _ in BROKEN}


def test_a_move_is_measured_from_its_command_to_the_first_answer() -> None:
    assert exercise.measurements(good(VOLUME)) == {VOLUME: {"move_s": 1.0, "return_s": 1.0}}
