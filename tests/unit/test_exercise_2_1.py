"""Every check of exercise 2.1 passes on a good run's record and fails on a broken one's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.model import Verdict
from tests.exercises.exercise_2_1.verify import exercise
from tests.unit.records.editing import changed, events, without

Row = tuple[str, dict[str, Any]]


def row(name: str, *, leader: bool = False, manages: bool = True, **data: Any) -> dict[str, Any]:
    return {
        "id": name,
        "name": name,
        "role": "manager" if manages else "worker",
        "state": "ready",
        "leader": leader,
        "reachability": "reachable" if manages else "",
        **data,
    }


def listing(*rows: dict[str, Any]) -> Row:
    return "nodes", {"seen_from": "manager1", "seconds": 0.01, "nodes": list(rows)}


def info(node: str, managers: int, cluster: str = "c1") -> Row:
    return "info", {"node": node, "control": True, "managers": managers, "cluster": cluster}


def lost(count: int, managers: int) -> Row:
    return "quorum", {"lost": count, "managers": managers}


def write(error: str | None = None) -> Row:
    return "write", {"node": "manager1", "error": error, "seconds": 0.1}


def asked(node: str, error: str | None = None) -> Row:
    status = None if error else 200
    data = {"node": node, "sent": 0.0, "seconds": 0.01, "status": status, "error": error}
    return "request", {**data, "url": "http://worker1:8080/", "port": 8080}


HEALED: Row = ("fault.healed", {"fault": "stop-engine", "nodes": ["manager3"], "seconds": 4.0})


def broken(node: str) -> Row:
    return "fault.injected", {"fault": "stop-engine", "nodes": [node], "seconds": 1.0}


LAST_MANAGER: Row = (
    "refusal",
    {"asked": "demote the last manager", "code": 400, "said": "… the last manager of the swarm"},
)
THREE = [
    row("manager1", leader=True),
    row("manager2"),
    row("manager3"),
    row("worker1", manages=False),
    row("worker2", manages=False),
]

RUNS: dict[str, list[Row]] = {
    "one-manager": [
        listing(row("manager1", leader=True), row("worker1", manages=False)),
        info("manager1", 1),
        LAST_MANAGER,
        broken("manager1"),
        lost(1, 1),
        write("reset"),
        asked("worker1"),
        HEALED,
        lost(0, 1),
        write(),
    ],
    "two-managers": [
        listing(row("manager1"), row("worker1", leader=True)),
        info("manager1", 2),
        info("worker1", 2),
        broken("manager1"),
        lost(1, 2),
        write(),
        write("no leader"),
        asked("worker1"),
        HEALED,
        lost(0, 2),
        write(),
    ],
    "three-managers": [
        listing(row("manager1", leader=True), row("worker1"), row("manager3")),
        info("manager1", 3),
        info("worker1", 3),
        info("manager3", 3),
        broken("manager3"),
        lost(1, 3),
        write(),
        asked("manager1"),
        broken("worker1"),
        lost(2, 3),
        write("no leader"),
        asked("manager1"),
        HEALED,
        lost(1, 3),
        write(),
    ],
    "target-picture": [
        listing(*THREE),
        info("manager1", 3),
        info("manager2", 3),
        info("manager3", 3),
    ],
    "five-managers": [
        listing(row("manager1", leader=True), *(row(f"manager{n}") for n in (2, 3, 4, 5))),
        *(info(f"manager{n}", 5) for n in (1, 2, 3, 4, 5)),
        lost(2, 5),
        write(),
    ],
}


RUNS["as-found"] = RUNS["target-picture"]


def good(phase: str) -> Record:
    return events(f"2.1/{phase}", *RUNS[phase])


@pytest.mark.parametrize("phase", RUNS)
def test_a_good_run_passes_every_check(phase: str) -> None:
    results = exercise.judge(good(phase), phase)
    assert {r.id: r.observed for r in results if r.verdict is not Verdict.PASS} == {}


def kind(name: str) -> Callable[[Any], bool]:
    return lambda event: event.kind == name


BROKEN: dict[tuple[str, str, str], Callable[[], Record]] = {
    ("three-managers", "membership", "fail"): lambda: changed(
        good("three-managers"), kind("nodes"), nodes=THREE[:2]
    ),
    ("two-managers", "membership", "fail"): lambda: changed(
        good("two-managers"),
        kind("nodes"),
        nodes=[row("manager1", leader=True), row("worker1", reachability="unreachable")],
    ),
    ("one-manager", "membership", "unknown"): lambda: without(good("one-manager"), kind("nodes")),
    ("three-managers", "one-view", "fail"): lambda: changed(
        good("three-managers"), lambda e: e.data.get("node") == "manager3", cluster="another"
    ),
    ("five-managers", "one-view", "fail"): lambda: changed(
        good("five-managers"), kind("info"), managers=4
    ),
    ("two-managers", "tolerance", "fail"): lambda: changed(
        good("two-managers"), kind("write"), error=None
    ),
    ("three-managers", "tolerance", "fail"): lambda: changed(
        good("three-managers"), kind("write"), error="no leader"
    ),
    ("five-managers", "losses-borne", "unknown"): lambda: without(
        good("five-managers"), kind("write")
    ),
    ("two-managers", "service-answers", "fail"): lambda: changed(
        good("two-managers"), kind("request"), status=None, error="timeout"
    ),
    ("one-manager", "service-answers", "unknown"): lambda: without(
        good("one-manager"), kind("request")
    ),
    ("two-managers", "changes-return", "fail"): lambda: changed(
        good("two-managers"), kind("write"), error="no leader"
    ),
    ("one-manager", "last-manager-stays", "fail"): lambda: changed(
        good("one-manager"), kind("refusal"), code=200, said="accepted"
    ),
    ("target-picture", "picture", "fail"): lambda: changed(
        good("target-picture"), kind("nodes"), nodes=[*THREE[:3], row("worker1"), THREE[4]]
    ),
}


@pytest.mark.parametrize("case", BROKEN, ids=".".join)
def test_a_broken_run_does_not_pass(case: tuple[str, str, str]) -> None:
    phase, check, verdict = case
    found = {r.id: r.verdict for r in exercise.judge(BROKEN[case](), phase)}
    assert found[f"2.1.{phase}.{check}"] == verdict


def test_no_check_is_without_a_run_that_it_refuses() -> None:
    declared = {check.id.rsplit(".", 1)[1] for check in exercise.checks}
    assert declared == {check for _, check, _ in BROKEN}


def test_the_measurements_are_seconds_since_their_cause() -> None:
    measured = exercise.measurements(good("two-managers"))["two-managers"]
    assert measured == {"refused_s": 3.0, "accepted_again_s": 2.0, "probes": 1, "probe_errors": 0}
