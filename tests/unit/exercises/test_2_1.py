"""Every check of exercise 2.1 passes on a good run's record and fails on a broken one's."""

from __future__ import annotations

from typing import Any

from pytest_swarmlab.evidence.record import Record
from tests.exercises.exercise_2_1.verify import exercise
from tests.unit.records.editing import changed, edited, events, none_of
from tests.unit.records.identities import certificate_taken, roles, who
from tests.unit.records.judge import Broken, JudgeContract, break_alike

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

WHO = {
    "one-manager": roles(["manager1"], ["worker1", "worker2"]),
    "two-managers": roles(["manager1", "worker1"], ["worker2"]),
    "three-managers": roles(["manager1", "worker1", "manager3"], ["worker2"]),
    "target-picture": roles(["manager1", "manager2", "manager3"], ["worker1", "worker2"]),
    "five-managers": roles([f"manager{n}" for n in range(1, 6)]),
}
"""Phase → who is asked at its beginning and at its end."""


def good(phase: str) -> Record:
    around = [who(WHO[phase])] if phase in WHO else []
    return events(f"2.1/{phase}", *around, *RUNS[phase], *around)


BROKEN: Broken = {
    ("three-managers", "membership"): [(edited("nodes", nodes=THREE[:2]), "fail")],
    ("two-managers", "membership"): [
        (
            edited(
                "nodes",
                nodes=[row("manager1", leader=True), row("worker1", reachability="unreachable")],
            ),
            "fail",
        )
    ],
    ("one-manager", "membership"): [(none_of("nodes"), "unknown")],
    ("three-managers", "one-view"): [
        (lambda run: changed(run, lambda e: e.data.get("node") == "manager3", cluster="b"), "fail")
    ],
    ("five-managers", "one-view"): [(edited("info", managers=4), "fail")],
    ("two-managers", "tolerance"): [(edited("write", error=None), "fail")],
    ("five-managers", "losses-borne"): [
        (edited("write", error="no leader"), "fail"),
        (none_of("write"), "unknown"),
    ],
    ("one-manager", "service-answers"): [(none_of("request"), "unknown")],
    ("one-manager", "last-manager-stays"): [(edited("refusal", code=200, said="accepted"), "fail")],
}
break_alike(
    BROKEN,
    exercise,
    {
        "membership": edited("nodes", nodes=[row("manager1")]),
        "one-view": edited("info", managers=99),
        "tolerance": edited("write", error="no leader"),
        "service-answers": edited("request", status=None, error="timeout"),
        "changes-return": edited("write", error="no leader"),
        "identities-kept": certificate_taken,
        "picture": edited("nodes", nodes=[*THREE[:3], row("worker1"), THREE[4]]),
    },
)


class TestJudge(JudgeContract):
    exercise = exercise
    phases = RUNS
    good = staticmethod(good)
    broken = BROKEN


def test_the_measurements_are_seconds_since_their_cause() -> None:
    measured = exercise.measurements(good("two-managers"))["two-managers"]
    assert measured == {"refused_s": 3.0, "accepted_again_s": 2.0, "probes": 1, "probe_errors": 0}
