"""Every check of exercise 2.1 passes on a good run's record and fails on a broken one's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.model import Verdict
from tests.exercises.exercise_2_1.verify import exercise
from tests.unit.records.breaker import ANY_ORDER, NAMES_ALIKE, SOONER
from tests.unit.records.editing import (
    LAB,
    Edit,
    Row,
    changed,
    edited,
    events,
    in_vain,
    none_of,
    without,
)
from tests.unit.records.identities import certificate_taken, roles, who
from tests.unit.records.judge import Broken, JudgeContract, break_alike

STARTED = ("manager1", "worker1", "worker2")
"""Who is in the swarm of Lab 1."""


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


def listing(*rows: dict[str, Any]) -> list[Row]:
    """The same list, as every manager of it gives it."""
    return [
        ("nodes", {"seen_from": each["name"], "seconds": 0.01, "nodes": list(rows)})
        for each in rows
        if each["reachability"]
    ]


def info(node: str, managers: int, cluster: str = "c1") -> Row:
    return "info", {"node": node, "control": True, "managers": managers, "cluster": cluster}


def lost(count: int, managers: int) -> Row:
    return "quorum", {"lost": count, "managers": managers}


def write(error: str | None = None) -> Row:
    return "write", {"node": "manager1", "error": error, "seconds": 0.1}


def asked(*nodes: str, error: str | None = None) -> list[Row]:
    """Clients that ask through each of those nodes for two seconds: an event is a second here."""
    return [
        ("request", {"node": node, "sent": turn / 10, "seconds": 0.01, "error": error,
                     "status": None if error else 200, "url": f"http://{node}:8080/", "port": 8080})
        for turn in range(20)
        for node in nodes
    ]  # fmt: skip


def mended(node: str) -> Row:
    return "fault.healed", {"fault": "stop-engine", "nodes": [node], "seconds": 0.5}


def broken(node: str, how: str = "stop-engine") -> Row:
    return "fault.injected", {"fault": how, "nodes": [node], "seconds": 0.5}


def ping(node: str, *, answers: bool = False) -> Row:
    return "ping", {"node": node, "answers": answers}


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

WORKERS = [row("worker1", manages=False), row("worker2", manages=False)]
OTHER_WORKER = [row("worker2", manages=False)]
FIVE = [row("manager1", leader=True), *(row(f"manager{n}") for n in (2, 3, 4, 5))]

RUNS: dict[str, list[Row]] = {
    "one-manager": [
        *listing(row("manager1", leader=True), *WORKERS),
        info("manager1", 1),
        LAST_MANAGER,
        broken("manager1"),
        lost(1, 1),
        ping("manager1"),
        write("reset"),
        *asked("worker1", "worker2"),
        mended("manager1"),
        lost(0, 1),
        write(),
        ping("manager1", answers=True),
    ],
    "two-managers": [
        *listing(row("manager1", leader=True), row("worker1"), *OTHER_WORKER),
        info("manager1", 2),
        info("worker1", 2),
        broken("worker1"),
        lost(1, 2),
        write(),
        ping("worker1"),
        write("no leader"),
        *asked("manager1", "worker2"),
        mended("worker1"),
        lost(0, 2),
        write(),
        ping("worker1", answers=True),
    ],
    "three-managers": [
        *listing(row("manager1", leader=True), row("worker1"), row("manager3"), *OTHER_WORKER),
        info("manager1", 3),
        info("worker1", 3),
        info("manager3", 3),
        broken("manager3"),
        lost(1, 3),
        ping("manager3"),
        write(),
        broken("worker1"),
        lost(2, 3),
        ping("worker1"),
        write("no leader"),
        *asked("manager1", "worker2"),
        mended("worker1"),
        lost(1, 3),
        write(),
        ping("worker1", answers=True),
    ],
    "target-picture": [
        *listing(*THREE),
        info("manager1", 3),
        info("manager2", 3),
        info("manager3", 3),
    ],
    "five-managers": [
        *(info(f"manager{n}", 5) for n in (1, 2, 3, 4, 5)),
        *listing(*FIVE, *WORKERS),
        broken("manager1", "power-off"),
        broken("manager2", "power-off"),
        lost(2, 5),
        write(),
        ping("manager1"),
        ping("manager2"),
    ],
}


RUNS["as-found"] = RUNS["target-picture"]
MACHINES = {
    "five-managers": [*(f"manager{n}" for n in (1, 2, 3, 4, 5)), "worker1", "worker2"],
    "target-picture": LAB,
    "as-found": LAB,
}

WHO = {
    "one-manager": roles(["manager1"], ["worker1", "worker2"]),
    "two-managers": roles(["manager1", "worker1"], ["worker2"]),
    "three-managers": roles(["manager1", "worker1", "manager3"], ["worker2"]),
    "target-picture": roles(["manager1", "manager2", "manager3"], ["worker1", "worker2"]),
    "five-managers": roles([f"manager{n}" for n in range(1, 6)], ["worker1", "worker2"]),
}
"""Phase → who is asked at its beginning and at its end."""


def good(phase: str) -> Record:
    """A record of two seconds of clients, which make twenty events a second."""
    around = [who(WHO[phase])] if phase in WHO else []
    rows = [*around, *RUNS[phase], *around]
    run = events(f"2.1/{phase}", *rows, machines=MACHINES.get(phase, STARTED))
    return at_their_moments(run)


def at_their_moments(run: Record) -> Record:
    """Each event a second after the one before it; forty requests take two seconds together."""
    t, placed = -2.0, []
    for event in run:
        t += 0.05 if event.kind == "request" else 1.0
        at = {"sent": t} if event.kind == "request" else {}
        placed.append(replace(event, t=t, data={**event.data, **at}))
    return Record(tuple(placed))


def two_are_back(run: Record) -> Record:
    """The other lost manager is mended at the same time."""
    back = next(event for event in run if event.kind == "fault.healed")
    too = replace(back, data={**back.data, "nodes": ["manager3"]})
    return Record(tuple(e for each in run for e in ((each, too) if each is back else (each,))))


def held(node: str) -> Edit:
    """The faults held that node, not the managers that were to be lost."""
    return edited("fault.injected", nodes=[node])


def cut_before_the_second_loss(run: Record) -> Record:
    (second,) = (event for event in run.of("quorum") if event.data["lost"] == 2)
    return without(run, lambda event: event.seq >= second.seq)


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
    ("three-managers", "one-view"): [
        (lambda run: changed(run, lambda e: e.data.get("node") == "manager3", cluster="b"), "fail")
    ],
    ("five-managers", "one-view"): [(edited("info", managers=4), "fail")],
    # An empty id is the same everywhere.
    ("target-picture", "one-view"): [
        (edited("info", cluster=""), "unknown"),
        (none_of("info", node="manager2"), "unknown"),
        (edited("info", {"node": "manager2"}, control=False), "fail"),
    ],
    # The change itself was refused, by managers that decide.
    ("three-managers", "tolerance"): [
        (edited("write", {"error": "no leader"}, error="config already exists"), "unknown"),
        (held("worker2"), "unknown"),
        (edited("ping", answers=True), "unknown"),
        # That losses are borne does not show that one more is not.
        (cut_before_the_second_loss, "unknown"),
    ],
    ("one-manager", "tolerance"): [
        # It is not the manager that was lost that gives no answer.
        (edited("write", {"error": "reset"}, node="worker1"), "unknown"),
    ],
    ("three-managers", "changes-return"): [
        (two_are_back, "unknown"),
        (none_of("write", error=None), "unknown"),
        # It was refused so far, and nobody tried any longer.
        (edited("write", error="no leader"), "unknown"),
    ],
    ("three-managers", "service-answers"): [
        (none_of("request", node="worker2"), "unknown"),
        (lambda run: without(run, lambda e: e.kind == "request" and e.seq % 4 < 3), "unknown"),
    ],
    ("two-managers", "tolerance"): [(edited("write", error=None), "fail")],
    ("two-managers", "service-answers"): [(none_of("request", node="worker2"), "unknown")],
    ("five-managers", "losses-borne"): [
        (edited("write", error="no leader"), "fail"),
        (held("worker1"), "unknown"),
        (edited("nodes", nodes=[*FIVE[1:], row("manager1"), *WORKERS]), "unknown"),
    ],
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
        "changes-return": in_vain(edited("write", error="no leader")),
        "identities-kept": certificate_taken,
        "picture": edited("nodes", nodes=[*THREE[:3], row("worker1"), THREE[4]]),
    },
)


BEFORE = "it is about what was seen before anything was broken"
ONE_LIST = "who manages is read from one list; what each manager lists is the claim `membership`"
THE_ONE = "it is about the one level without a quorum"
BY_THEN = "what it claims was seen by then"
TWICE = "each was asked more often than needed"
STILL_PASSES = {
    **{
        (f"2.1.*.{claim}", "fault.injected: *"): BEFORE
        for claim in ("membership", "one-view", "last-manager-stays")
    },
    ("2.1.*.*", "nodes: all seen at the phase's beginning"): SOONER,
    ("2.1.*.*", "[nw]*: nodes exchanged"): NAMES_ALIKE,
    ("2.1.*.one-view", "info: [am]*"): ANY_ORDER,
    ("2.1.*.one-view", "nodes: no?* ?*"): ONE_LIST,
    ("2.1.as-found.one-view", "cut *"): "the managers are asked first",
    ("2.1.five-managers.losses-borne", "fault.healed: *"): BY_THEN,
    ("2.1.three-managers.tolerance", "cut *fault.heal*"): BY_THEN,
    ("2.1.*.changes-return", "quorum: n*number*"): THE_ONE,
    ("2.1.three-managers.*", "ping: [mn]o[mt]*"): TWICE,
}


class TestJudge(JudgeContract):
    exercise = exercise
    phases = RUNS
    good = staticmethod(good)
    broken = BROKEN


def test_the_measurements_are_seconds_since_their_cause() -> None:
    measured = exercise.measurements(good("two-managers"))["two-managers"]
    assert measured == {"refused_s": 4.0, "accepted_again_s": 2.0, "probes": 40, "probe_errors": 0}


def test_a_manager_that_is_noted_as_back_in_the_moment_of_its_mending_is_back() -> None:
    run = good("three-managers")
    healed = next(event for event in run if event.kind == "fault.healed")
    noted = next(e for e in run.of("quorum") if e.t > healed.t)
    at_once = Record(tuple(replace(e, t=healed.t) if e is noted else e for e in run))
    verdicts = {r.id: r.verdict for r in exercise.judge(at_once, "three-managers")}
    assert verdicts["2.1.three-managers.tolerance"] is Verdict.PASS
