"""Every check of exercise 2.3 passes on a good run's record and fails on a broken one's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pytest_swarmlab.evidence.record import Record
from tests.exercises.exercise_2_3.verify import exercise
from tests.unit.records.editing import Edit, Row, changed, edited, events, last, none_of, without
from tests.unit.records.judge import Broken, JudgeContract

REFUSED = (
    "Error: Database is uninitialized and superuser password is not specified.\n"
    "       You must specify POSTGRES_PASSWORD"
)


def tasks(task: str, node: str) -> Row:
    running = {"id": task, "slot": 1, "node": node, "state": "running", "desired": "running"}
    return "tasks", {"seen_from": "manager1", "service": "db-local", "tasks": [running]}


def databases(step: str, node: str, container: str, *names: str) -> Row:
    listed = ["postgres", *names]
    return "databases", {"step": step, "node": node, "container": container, "names": listed}


def sent(*words: str) -> Row:
    argv = ["docker", "service", "update", *words]
    return "command", {"node": "manager1", "argv": argv, "code": 0, "seconds": 0.1}


RUNS: dict[str, list[Row]] = {
    "literal": [("container", {"said": REFUSED, "exit_code": 1, "error": "task: non-zero exit"})],
    "local-volume": [
        ("command", {"node": "worker1", "argv": ["docker", "exec", "c1", "CREATE DATABASE testdb"],
                     "code": 0, "seconds": 0.1}),
        databases("written", "worker1", "c1", "testdb"),
        tasks("t1", "worker1"),
        sent("--constraint-rm"),
        *[tasks("t1", "worker1")] * 32,
        sent("--constraint-add"),
        databases("moved", "worker2", "c2"),
        ("volume", {"node": "worker1", "listed": "local  mydata", "holds_data": True}),
        sent("--constraint-rm", "--constraint-add"),
        databases("back", "worker1", "c3", "testdb"),
    ],
}  # fmt: skip


def good(phase: str) -> Record:
    """A record of its events, half a second after one another."""
    run = events(f"2.3/{phase}", *RUNS[phase])
    return Record(tuple(replace(event, t=event.t / 2) for event in run))


def hidden(run: Record, since: float, until: float) -> Record:
    """Nobody looked at the tasks between those seconds."""
    return without(run, lambda e: e.kind == "tasks" and since < e.t < until)


def at(step: str, **data: Any) -> Edit:
    """At that step something else was seen."""
    return lambda run: changed(run, lambda e: e.data.get("step") == step, **data)


VOLUME = "local-volume"
BROKEN: Broken = {
    ("literal", "refused-without-a-password"): [
        (edited("container", said="database system is ready", exit_code=0), "fail")
    ],
    (VOLUME, "written"): [(at("written", names=["postgres"]), "fail")],
    (VOLUME, "constraint-rm-moves-nothing"): [
        (last("tasks", tasks=tasks("t2", "worker2")[1]["tasks"]), "fail"),
        (last("tasks", tasks=[]), "fail"),
        # Two answers that were both nothing are not the same task.
        (edited("tasks", tasks=[]), "fail"),
        # Looked at before and after, but not for fifteen seconds.
        (lambda run: hidden(run, 3.0, 17.0), "unknown"),
        (lambda run: hidden(run, -1.0, 1.5), "unknown"),
    ],
    (VOLUME, "row-absent-elsewhere"): [
        (at("moved", names=["postgres", "testdb"]), "fail"),
        # The service stayed where it was.
        (at("moved", node="worker1"), "fail"),
        (at("moved", names=[]), "unknown"),
        # It was nowhere: that it isn't there says nothing.
        (at("written", names=["postgres"]), "unknown"),
        (none_of("databases", step="written"), "unknown"),
    ],
    (VOLUME, "volume-stays-behind"): [
        (edited("volume", holds_data=False), "fail"),
        # The service's new home was looked at, not the old one.
        (edited("volume", node="worker2"), "unknown"),
    ],
    (VOLUME, "row-returns"): [
        (at("back", names=["postgres"]), "fail"),
        # The same container is no return.
        (at("back", container="c1"), "fail"),
        (at("moved", node="worker1"), "unknown"),
        (none_of("databases", step="moved"), "unknown"),
    ],
}


STILL_PASSES = {
    ("2.3.*.*", "databases: the later half of another cluster"): "containers are only told apart",
}


class TestJudge(JudgeContract):
    exercise = exercise
    phases = RUNS
    good = staticmethod(good)
    broken = BROKEN


def test_a_move_is_measured_from_its_command_to_the_first_answer() -> None:
    assert exercise.measurements(good(VOLUME)) == {VOLUME: {"move_s": 0.5, "return_s": 0.5}}
