"""Where a run's time went: each second of each worker is told once, each wait where it was."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_swarmlab.errors import NotConverged
from pytest_swarmlab.evidence import waits
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.evidence.time_spent import (
    COLLECTING_LOGS,
    REMOVING_CLUSTER,
    UNFINISHED,
    Awaited,
    Doing,
    WorkerTime,
    time_spent,
)
from pytest_swarmlab.evidence.waited_for import waited_for
from pytest_swarmlab.model import Event
from pytest_swarmlab.waiting.waiter import done, fatal, pending
from tests.unit.records.synthetic import THREE_DRILLS, record

Row = tuple[float, str, dict[str, Any]]


def step(t: float, nodeid: str, what: str) -> Row:
    return t, "test.step", {"nodeid": nodeid, "step": what}


def stage(began: float, ended: float, name: str) -> list[Row]:
    done_ = {"name": name, "seconds": ended - began}
    return [(began, "stage.started", {"name": name}), (ended, "stage.done", done_)]


def phase(began: float, ended: float, name: str) -> list[Row]:
    return [(began, "phase.started", {"name": name}), (ended, "phase.finished", {"name": name})]


def wait(began: float, ended: float, condition: str, **more: Any) -> list[Row]:
    data = {"condition": condition, "node": more.pop("node", None)}
    kind = more.pop("kind", "wait")
    last = {"outcome": "done", "elapsed": ended - began, "last": "", **more}
    return [(began, "wait.began", {**data, "within": 60}), (ended, kind, {**data, **last})]


def made(*rows: Row | list[Row], worker: str = "") -> tuple[Event, ...]:
    flat = [each for row in rows for each in (row if isinstance(row, list) else [row])]
    flat.sort(key=lambda row: row[0])
    return tuple(Event(n, t, "", kind, "", data, worker) for n, (t, kind, data) in enumerate(flat))


A_RUN: list[Row | list[Row]] = [
    (0.0, "run.started", {}),
    step(1.0, "t.py::test_a", "setup"),
    *(stage(2.0, 3.0, "starting 5 machines"), stage(3.0, 9.0, "booting and joining")),
    step(10.0, "t.py::test_a", "call"),
    phase(11.0, 31.0, "2.3/local-volume"),
    wait(12.0, 20.0, "db runs 1 tasks", node="worker1"),
    (21.0, "fault.injected", {"seconds": 2.0}),
    (23.0, "command", {"node": "manager1", "argv": ["docker", "node", "ls"], "seconds": 3.0}),
    step(32.0, "t.py::test_a", "teardown"),
    wait(33.0, 36.0, "nothing is left of db", kind="suite.wait"),
    step(37.0, "t.py::test_a", "over"),
    step(40.0, "t.py::test_b", "setup"),
    step(40.5, "t.py::test_b", "call"),
    step(41.0, "t.py::test_b", "teardown"),
    *(stage(42.0, 43.0, COLLECTING_LOGS), stage(43.0, 44.0, REMOVING_CLUSTER)),
    (45.0, "run.finished", {}),
]


def one(*rows: Row | list[Row]) -> WorkerTime:
    (found,) = time_spent(Record(made(*rows)))
    return found


def test_every_second_of_a_run_is_told_once() -> None:
    found = one(*A_RUN)
    told = [(b.doing, b.name, b.began, b.ended) for b in found.blocks]
    assert told == [
        (Doing.BEFORE, "", 0.0, 1.0),
        (Doing.SET_UP, "t.py::test_a", 1.0, 2.0),
        (Doing.SET_UP, "starting 5 machines", 2.0, 3.0),
        (Doing.SET_UP, "booting and joining", 3.0, 9.0),
        (Doing.SET_UP, "t.py::test_a", 9.0, 10.0),
        (Doing.TEST, "t.py::test_a", 10.0, 11.0),
        (Doing.DRILL, "2.3/local-volume", 11.0, 31.0),
        (Doing.TEST, "t.py::test_a", 31.0, 32.0),
        (Doing.TIDY_UP, "t.py::test_a", 32.0, 37.0),
        (Doing.BETWEEN, "", 37.0, 40.0),
        (Doing.SET_UP, "t.py::test_b", 40.0, 40.5),
        (Doing.TEST, "t.py::test_b", 40.5, 41.0),
        (Doing.TIDY_UP, "t.py::test_b", 41.0, 42.0),
        (Doing.TIDY_UP, COLLECTING_LOGS, 42.0, 43.0),
        (Doing.TIDY_UP, REMOVING_CLUSTER, 43.0, 44.0),
        (Doing.TIDY_UP, "t.py::test_b", 44.0, 45.0),
    ]
    assert sum(b.seconds for b in found.blocks) == pytest.approx(45.0)


def test_what_belongs_to_a_test_belongs_to_the_exercise_of_its_drills() -> None:
    exercises = {b.name: b.exercise for b in one(*A_RUN).blocks}
    assert exercises["booting and joining"] == exercises["2.3/local-volume"] == "2.3"
    assert exercises["t.py::test_a"] == "2.3"
    assert exercises["t.py::test_b"] == exercises[REMOVING_CLUSTER] == exercises[""] == ""


def test_a_moment_counts_as_a_wait_before_it_counts_as_a_fault_or_a_command() -> None:
    drill = next(b for b in one(*A_RUN).blocks if b.doing is Doing.DRILL)
    # The wait ends at 20, the fault lasts from 19 to 21, the command from 20 to 23.
    assert (drill.waiting, drill.faults, drill.commands) == pytest.approx((8.0, 1.0, 2.0))


def test_waits_at_once_are_no_longer_than_the_clock() -> None:
    found = one(*phase(0.0, 10.0, "1/a"), *wait(1.0, 5.0, "x"), *wait(2.0, 6.0, "y"))
    assert found.blocks[0].waiting == pytest.approx(5.0)
    assert [w.seconds for w in found.waits] == pytest.approx([4.0, 4.0])


def test_what_goes_on_within_a_wait_is_not_waited_for_twice() -> None:
    found = one(
        *phase(0.0, 20.0, "1/a"),
        *wait(1.0, 5.0, "x"),
        (4.0, "command", {"node": "n", "argv": ["true"], "seconds": 2.0}),
        (10.0, "fault.injected", {"fault": "power-off", "nodes": ["n", "m"], "seconds": 3.0}),
        (9.0, "command", {"node": "n", "argv": ["kill", "-9", "1"], "seconds": 1.0}),
        (15.0, "fault.healed", {"fault": "power-off", "nodes": ["n"], "seconds": 2.0}),
        (18.0, "command", {"node": "n", "argv": ["echo", "a b"], "seconds": 2.0}),
    )
    assert [(w.kind, w.condition, w.nodes, w.seconds) for w in found.waits] == [
        (Awaited.CONDITION, "x", (), 4.0),
        (Awaited.FAULT, "power-off is injected", ("n", "m"), 3.0),
        (Awaited.FAULT, "power-off is healed", ("n",), 2.0),
        (Awaited.COMMAND, "`echo 'a b'`", ("n",), 2.0),
    ]
    assert waited_for([found])[1].nodes == ("m", "n")


def test_a_wait_knows_its_place_and_whose_it_was() -> None:
    test_s, command, suite_s = one(*A_RUN).waits
    assert (test_s.condition, test_s.exercise) == ("db runs 1 tasks", "2.3")
    assert test_s.nodes == ("worker1",)
    assert (test_s.kind, suite_s.kind) == (Awaited.CONDITION, Awaited.UPKEEP)
    assert (command.condition, command.nodes) == ("`docker node ls`", ("manager1",))
    assert suite_s.exercise == "2.3"


def test_each_worker_has_its_own_time_up_to_the_end_of_the_run() -> None:
    first = made(*A_RUN[1:-1], worker="gw0")
    second = made(
        step(5.0, "u.py::test_c", "setup"),
        step(6.0, "u.py::test_c", "call"),
        step(7.0, "u.py::test_c", "teardown"),
        step(8.0, "u.py::test_c", "over"),
        worker="gw10",
    )
    third = tuple(replace(event, worker="gw2") for event in second)
    leader = made((0.0, "run.started", {}), (50.0, "run.finished", {}))
    found = time_spent(Record((*first, *second, *third, *leader)))
    assert [each.worker for each in found] == ["gw0", "gw2", "gw10"]
    assert all(sum(b.seconds for b in each.blocks) == pytest.approx(50.0) for each in found)
    last = found[1].blocks[-1]
    assert (last.doing, last.began, last.ended) == (Doing.AFTER, 8.0, 50.0)


def test_what_a_killed_worker_was_at_ends_with_its_last_word() -> None:
    killed = made(
        step(5.0, "u.py::test_c", "setup"),
        (6.0, "stage.started", {"name": "booting and joining"}),
        (7.0, "wait.began", {"condition": "every node ready", "node": None, "within": 60}),
        (9.0, "node.up", {"node": "manager1"}),
        worker="gw0",
    )
    (found,) = time_spent(Record((*killed, *made((30.0, "run.finished", {})))))
    assert [(b.doing, b.ended) for b in found.blocks[-2:]] == [
        (Doing.SET_UP, 9.0),
        (Doing.AFTER, 30.0),
    ]
    (wait_,) = found.waits
    assert (wait_.outcome, wait_.began, wait_.ended) == (UNFINISHED, 7.0, 9.0)


def test_an_old_record_has_its_stages_tests_drills_and_waits() -> None:
    old = [
        *stage(2.0, 9.0, "booting and joining"),
        *phase(11.0, 31.0, "2.3/local-volume"),
        wait(12.0, 20.0, "db runs 1 tasks")[1],
        (32.0, "test.finished", {"nodeid": "t.py::test_a", "outcome": "passed", "seconds": 22.0}),
        *stage(40.0, 43.0, COLLECTING_LOGS),
    ]
    found = one(*old)
    assert [b.doing for b in found.blocks] == [
        Doing.BEFORE, Doing.SET_UP, Doing.BETWEEN, Doing.TEST, Doing.DRILL, Doing.TEST,
        Doing.BETWEEN, Doing.TIDY_UP,
    ]  # fmt: skip
    assert found.waits[0].seconds == pytest.approx(8.0)
    assert found.blocks[4].waiting == pytest.approx(8.0)


def test_a_test_that_asked_for_a_cluster_only_while_it_ran_has_its_call() -> None:
    ended = {"nodeid": "t.py::test_late", "outcome": "failed", "seconds": 5.0}
    found = one(*A_RUN[:-1], (60.0, "test.finished", ended))
    assert (Doing.TEST, "t.py::test_late", 55.0) in [
        (b.doing, b.name, b.began) for b in found.blocks
    ]


def test_drills_within_a_drill_are_told_as_the_inner_one() -> None:
    found = one(*phase(0.0, 10.0, "1/outer"), *phase(2.0, 4.0, "1/inner"))
    assert [(b.name, b.seconds) for b in found.blocks] == [
        ("1/outer", 2.0), ("1/inner", 2.0), ("1/outer", 6.0),
    ]  # fmt: skip


def test_waits_for_one_kind_of_thing_are_summed_whatever_was_counted() -> None:
    rows = [
        phase(0.0, 60.0, "2.9/heal"),
        wait(1.0, 5.0, "1 tasks of web have ended", node="manager1"),
        wait(6.0, 16.0, "2 tasks of web have ended", node="worker1"),
        wait(20.0, 25.0, "`docker exec af5a7f4d11ad true` succeeds"),
        wait(26.0, 28.0, "`docker exec 0f5a7f4d11ad true` succeeds", outcome="timeout"),
        wait(30.0, 31.0, "worker1 is ready"),
        wait(31.0, 33.0, "worker2 is ready"),
    ]
    found = waited_for([one(*rows)])
    assert [(f.condition, f.times) for f in found] == [
        ("n tasks of web have ended", 2),
        ("`docker exec … true` succeeds", 2),
        ("worker2 is ready", 1),
        ("worker1 is ready", 1),
    ]
    assert [f.seconds for f in found] == pytest.approx([14.0, 7.0, 2.0, 1.0])
    assert found[0].nodes == ("manager1", "worker1")
    assert found[0].longest == pytest.approx(10.0)
    assert [f.unmet for f in found] == [0, 1, 0, 0]


def test_a_real_looking_record_is_whole() -> None:
    (found,) = time_spent(record(*THREE_DRILLS))
    assert [b.name for b in found.blocks if b.doing is Doing.DRILL] == [
        drill.phase for drill in THREE_DRILLS
    ]


@pytest.mark.parametrize(
    "value", [None, "an hour", -5.0, True, float("nan"), float("inf"), [1], 10**400]
)
def test_a_length_of_time_that_is_none_is_nothing(value: Any) -> None:
    rows = [
        *phase(0.0, 10.0, "1/a"),
        (5.0, "wait", {"condition": ["x"], "node": 3, "elapsed": value, "outcome": None}),
        (6.0, "command", {"seconds": value}),
        (7.0, "test.finished", {"outcome": "passed", "seconds": value}),
    ]
    assert one(*rows).blocks[0].waiting == 0.0


def test_a_record_made_to_be_slow_is_read_at_once() -> None:
    many = 20_000
    rows: list[Row] = [(float(n), "stage.started", {"name": str(n)}) for n in range(many)]
    rows += [(float(n), "phase.started", {"name": str(n)}) for n in range(many)]
    rows += [(float(n), "wait.began", {"condition": str(n)}) for n in range(many)]
    rows += [step(float(n), str(n), "call") for n in range(many)]
    began = time.process_time()
    one(*rows)
    # A second is enough; with each compared to each it would be minutes.
    assert time.process_time() - began < 20


def test_nothing_is_nothing() -> None:
    assert time_spent(Record(())) == ()
    assert waited_for([]) == []


# -- how waits come into the record --------------------------------------------------------------


class Condition:
    """Answers as it was told to."""

    name, node = "a thing", "worker1"

    def __init__(self, *outcomes: Any) -> None:
        self._outcomes = list(outcomes)

    def __call__(self) -> Any:
        outcome = self._outcomes.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    made = Recorder(tmp_path / "events.jsonl")
    yield made
    made.close()


@pytest.mark.parametrize(
    ("outcome", "within", "said", "error"),
    [
        (done(None, "there"), 60, "done", None),
        (pending("not there"), 0, "timeout", NotConverged),
        (fatal("never"), 60, "fatal", NotConverged),
        (KeyboardInterrupt(), 60, "interrupted", KeyboardInterrupt),
    ],
)
@pytest.mark.parametrize(
    ("make", "kind"), [(waits.of_tests, "wait"), (waits.of_the_suite, "suite.wait")]
)
def test_a_wait_stands_in_the_record_from_its_begin_to_its_end(
    recorder: Recorder,
    outcome: Any,
    within: float,
    said: str,
    error: type[BaseException] | None,
    make: Any,
    kind: str,
) -> None:
    condition = Condition(outcome)
    waiting = make(recorder)
    if error:
        with pytest.raises(error):
            waiting(condition, within=within)
    else:
        waiting(condition, within=within)
    saw = ["wait.saw"] if said == "timeout" else []
    assert [e.kind for e in recorder.view()] == ["wait.began", *saw, kind]
    began, *_, ended = recorder.view().events
    assert began.data == {"condition": "a thing", "node": "worker1", "within": within}
    assert ended.data["outcome"] == said
