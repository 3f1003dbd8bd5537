"""Every check of exercise 2.9 passes on a good run's record and fails on a broken one's."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_swarmlab.evidence.record import Record
from tests.exercises.exercise_2_9 import application, drill, perform
from tests.exercises.exercise_2_9.bad_update import TAKEN_BACK
from tests.exercises.exercise_2_9.declared import KILLED
from tests.exercises.exercise_2_9.frozen import ROW
from tests.exercises.exercise_2_9.setting import REPETITIONS
from tests.exercises.exercise_2_9.verify import exercise
from tests.unit.records.breaker import ALONE, ANY_ORDER, ENOUGH
from tests.unit.records.editing import (
    LAB,
    Edit,
    Timed,
    changed,
    edited,
    in_vain,
    kind,
    last,
    moved,
    none_of,
    none_within,
    timed,
    without,
)
from tests.unit.records.judge import Broken, JudgeContract

STACKS = Path(__file__).parents[3] / "stacks"
NGINX = "nginx:alpine"
LOST = "health_status: unhealthy"
WELL = "health_status: healthy"


def seen(t: float, kind_: str, /, **data: Any) -> Timed:
    return t, kind_, data


def task(id_: str, slot: int, state: str = "running", **more: Any) -> dict[str, Any]:
    desired = "running" if state in {"running", "starting"} else "shutdown"
    row = {"id": id_, "slot": slot, "node": "worker1", "state": state, "desired": desired}
    return {**row, "error": "", "exit_code": 0, "container": f"c-{id_}", **more}


def tasks(t: float, service: str, *rows: dict[str, Any]) -> Timed:
    return seen(t, "tasks", service=service, seen_from="manager1", seconds=0.0, tasks=list(rows))


def three(t: float, service: str, mark: str = "a") -> Timed:
    return tasks(t, service, *(task(f"{mark}{slot}", slot) for slot in (1, 2, 3)))


def two(t: float, service: str, mark: str = "a") -> Timed:
    return tasks(t, service, *(task(f"{mark}{slot}", slot) for slot in (1, 2)))


def engine(t: float, what: str, container: str, slot: int = 1, service: str = "web") -> Timed:
    return seen(
        t, "engine", node="worker1", what=what, container=container, slot=slot, service=service,
        exit_code="0" if what == "die" else None,
    )  # fmt: skip


def request(
    t: float, status: int | None = 200, port: int = 8080, path: str = "/", node: str = "manager1"
) -> Timed:
    return seen(
        t + 0.1, "request", node=node, sent=t, seconds=0.1, status=status,
        error=None if status else "timeout", port=port, url=f"http://{node}:{port}{path}",
    )  # fmt: skip


def visits(
    began: float, ended: float, port: int = 8080, failing: tuple[float, float] = (0, 0)
) -> list[Timed]:
    """A good answer through each of five nodes every two seconds; between `failing` none."""
    count = int((ended - began) / 0.4) + 1
    moments = [round(began + 0.4 * n, 1) for n in range(count)]
    return [
        request(t, None if failing[0] < t < failing[1] else 200, port, node=LAB[n % 5])
        for n, t in enumerate(moments)
    ]


def command(t: float, *argv: str, seconds: float = 0.1) -> Timed:
    return seen(t, "command", node="manager1", argv=[*argv], code=0, seconds=seconds, stdout="")


def checked(t: float, container: str, *codes: int) -> Timed:
    seconds = [0.9, 0.1, 0.2, 0.2, 0.2]
    return seen(t, "checks", container=container, seconds=seconds, exit_codes=[*codes])


def definition(t: float, when: str = "before", **more: Any) -> Timed:
    usual = {
        "service": "web", "image": NGINX, "test": ["CMD-SHELL", perform.ASKS], "interval_s": 1.0,
        "timeout_s": 5.0, "retries": 3, "start_interval_s": 1.0, "restart_condition": "any",
        "restart_delay_s": 1.0, "grace_s": 10.0,
    }  # fmt: skip
    return seen(t, "definition", when=when, **{**usual, **more})


def broken(t: float, number: int, slot: int, id_: str) -> Timed:
    return seen(
        t, "broken", number=number, began=t - 0.2, id=id_, slot=slot, node="worker1",
        container=f"c-{id_}",
    )  # fmt: skip


def repetition(number: int) -> list[Timed]:
    """Ill for three seconds, two of bad answers to a third of the clients; well after four more."""
    t, slot = 20.0 * number, number % 3 + 1
    ill, well = f"r{number - 3 if number > 3 else 0}{slot}", f"r{number}{slot}"
    return [
        broken(t, number, slot, ill),
        request(t + 1, 403),
        request(t + 1.5),
        engine(t + 3, LOST, f"c-{ill}", slot),
        engine(t + 5.2, "die", f"c-{ill}", slot),
        engine(t + 6.5, "start", f"c-{well}", slot),
        engine(t + 7.8, WELL, f"c-{well}", slot),
        request(t + 9),
        checked(t + 9.5, f"c-{ill}", 0, 0, 1, 1, 1),
    ]


def served(t: float, when: str, *states: str, counts: tuple[int, int]) -> Timed:
    return seen(
        t, "served", when=when, served=dict(zip("ab", counts, strict=True)),
        states=dict(zip("ab", states, strict=True)),
    )  # fmt: skip


def asked(t: float, when: str, status: int | None) -> list[Timed]:
    path = f"/?asked={when}"
    return [request(t + n / 2, status, path=path, node=node) for n, node in enumerate(LAB)]


def ending(t: float, program: str, state: str, code: int, error: str = "") -> Timed:
    return seen(t, "ending", program=program, state=state, exit_code=code, error=error, checks=[1])


def slow(t: float, name: str, *states: str) -> list[Timed]:
    rows = [
        task(f"{name}{n}", 1, state, error=KILLED if state in {"failed", "complete"} else "")
        for n, state in enumerate(states)
    ]
    return [
        seen(t, "start-period", name=name, service=f"slow-{name}"),
        tasks(t, f"slow-{name}", *rows),
    ]


def outage(t: float, what: str) -> Timed:
    return seen(t, "outage", what=what)


READY = {"database": "ok", "redis": "fail: ConnectionError"}
API, LABS = "health_api", "labs_api"

ENDED = [
    task(f"r{number - 3 if number > 3 else 0}{number % 3 + 1}", number % 3 + 1, "complete")
    for number in range(1, REPETITIONS + 1)
]
"""The tasks that were made ill, as they are listed in the end."""

RUNS: dict[str, list[Timed]] = {
    "starting": [
        *asked(0, "none", None),
        served(5, "none", "starting", "starting", counts=(0, 0)),
        *asked(6, "one", 200),
        served(11, "one", "running", "starting", counts=(5, 0)),
        *asked(12, "both", 200),
        served(17, "both", "running", "running", counts=(2, 3)),
    ],
    "heal": [
        definition(1),
        *visits(2, 145),
        *(row for number in range(1, REPETITIONS + 1) for row in repetition(number)),
        tasks(150, "web", *(task(f"z{slot}", slot) for slot in (1, 2, 3)), *ENDED),
    ],
    "bad-update": [
        definition(0),
        three(0, "web"),
        *visits(1, 24),
        command(12, "docker", "service", "update", "web", seconds=8.0),
        seen(12, "update", code=1, said=f"service rolled back: {TAKEN_BACK} x1"),
        definition(25, "after"),
        seen(26, "rolled-back", state="rollback_completed", message="rollback completed"),
        three(27, "web"),
    ],
    "exit-0": [
        definition(0, restart_condition="on-failure"),
        broken(1, 1, 1, "a1"),
        checked(6, "c-a1", 0, 1),
        seen(15, "watched", seconds=8.0),
        tasks(15.1, "trap", task("a1", 1, "complete"), task("a2", 2), task("a3", 3)),
        command(17, "docker", "service", "update", "--restart-condition", "any", "trap"),
        definition(20, "after"),
        tasks(30, "trap", *(task(f"b{n}", n) for n in (1, 2, 3)), task("a1", 1, "complete")),
    ],
    "endings": [
        ending(1, "nginx", "complete", 0),
        ending(2, "redis", "complete", 0),
        ending(3, "postgres", "complete", 0),
        ending(4, "deaf", "failed", 137, KILLED),
        seen(9, "watched", seconds=8.0),
        tasks(9.1, "gives-up", *(task(f"a{n}", 1, "complete") for n in range(3))),
    ],
    "slow-start": [
        *slow(1, "none", *["complete"] * 3, "starting"),
        *slow(2, "short", *["failed"] * 3, "starting"),
        *slow(3, "long", "running"),
    ],
    "database": [
        *visits(1, 22),
        seen(5, "frozen", task="d1", container="c-d1"),
        engine(8, LOST, "c-d1", service="health_database"),
        engine(17, WELL, "c-d2", service="health_database"),
        tasks(24, "health_database", task("d1", 1, "failed", error=KILLED), task("d2", 1)),
        two(24, API),
        seen(25, "rows", task="d2", found=[ROW]),
    ],
    "cascade": [
        two(0, API),
        two(0, LABS),
        *visits(1, 38),
        *visits(1, 38, port=8081, failing=(8.0, 25.0)),
        outage(4, "began"),
        *(engine(5 + n, "die", f"l{n}", 1 + n, service=LABS) for n in range(2)),
        outage(8, "all down"),
        seen(9, "readiness", status="503", checks=READY),
        *(engine(12 + n, "die", f"l{n + 2}", 1 + n, service=LABS) for n in range(2)),
        outage(20, "over"),
        outage(30, "all back"),
        two(40, API),
        tasks(40, LABS, task("n1", 1), task("n2", 2), task("a1", 1, "complete")),
    ],
}  # fmt: skip


def good(phase: str) -> Record:
    return timed(f"2.9/{phase}", *RUNS[phase])


ONE = {"node": "worker2"}


def uncovered(began: float, ended: float, **where: Any) -> list[tuple[Edit, str]]:
    """Nobody came while it was on: at all, through one node, for long; not before, not after."""
    middle = (began + ended) / 2
    return [
        (none_within(began, ended, **where), "unknown"),
        (none_within(began, ended, **ONE, **where), "unknown"),
        (none_within(middle - 2.5, middle + 2.5, **where), "unknown"),
        (none_within(0, began, **where), "unknown"),
        (none_within(ended, 999, **where), "unknown"),
        (none_within(0, 999, **ONE, **where), "unknown"),
    ]


def last_tasks(service: str, *rows: dict[str, Any]) -> Edit:
    """The last listing of that service's tasks is this."""
    return last("tasks", {"service": service}, tasks=list(rows))


def unanswered(service: str, t: float) -> Edit:
    """The listing of that service's tasks in that second was an error."""
    return lambda run: changed(
        run, lambda e: kind("tasks", service=service)(e) and e.t == t, tasks=[], error="timeout"
    )


def later(what: str, container: str, by: float) -> Edit:
    """That container's event came so many seconds later."""

    wanted = kind("engine", what=what, container=container)

    def edit(run: Record) -> Record:
        events = [replace(e, t=e.t + by) if wanted(e) else e for e in run]
        return Record(tuple(sorted(events, key=lambda e: e.t)))

    return edit


def request_failed_at(t: float, port: int = 8080) -> Edit:
    return lambda run: changed(run, kind("request", sent=t, port=port), status=502)


def in_one_slot(run: Record) -> Record:
    """All the containers that ended were of one slot."""
    return changed(run, kind("engine", what="die"), slot=1)


REPLACED = [task("a1", 1), task("a2", 2, "complete"), task("n2", 2), task("a3", 3)]

BROKEN: Broken = {
    ("starting", "starting-until-healthy"): [
        (edited("served", {"when": "none"}, states={"a": "running", "b": "running"}), "fail"),
        (edited("served", {"when": "both"}, states={"a": "running", "b": "starting"}), "fail"),
        (none_of("served", when="one"), "unknown"),
        (moved("served", {"when": "both"}, to=1.0), "unknown"),
        (edited("served", {"when": "one"}, states={"a": "running", "c": "starting"}), "unknown"),
    ],
    ("starting", "no-visitor-before"): [
        (edited("served", {"when": "one"}, served={"a": 4, "b": 1}), "fail"),
        (none_of("request", url="http://worker2:8080/?asked=none"), "unknown"),
        (moved("served", {"when": "none"}, to=0.0), "unknown"),
        (moved("served", {"when": "none"}, to=7.0), "unknown"),
        (edited("served", {"when": "none"}, served={"a": 1, "b": 0}), "fail"),
        (edited("request", status=200, error=None), "fail"),
        (none_of("served", when="none"), "unknown"),
    ],
    ("starting", "visitors-after"): [
        (edited("served", {"when": "both"}, served={"a": 4, "b": 0}), "fail"),
        (none_of("request", url="http://worker2:8080/?asked=both"), "unknown"),
        (moved("served", {"when": "both"}, to=12.0), "unknown"),
        (edited("request", status=None, error="timeout"), "fail"),
        (none_of("served", when="both"), "unknown"),
    ],
    ("heal", "healed-in-its-slot"): [
        (in_vain(none_of("engine", what=WELL, container="c-r12")), "fail"),
        (none_of("engine", what=WELL, container="c-r12"), "unknown"),
        (none_of("engine", what=LOST), "fail"),
        (last_tasks("web", task("a1", 1), task("a2", 2)), "fail"),
        (none_of("broken", number=5), "unknown"),
        # As it was before any of them became ill.
        (moved("tasks", to=0.0), "unknown"),
        (last_tasks("web", *(task(f"z{n}", 1) for n in range(3))), "fail"),
    ],
    ("heal", "detected-as-predicted"): [
        (later(LOST, "c-r03", 4.0), "fail"),
        (later(LOST, "c-r03", -2.0), "fail"),
        (none_of("engine", what=LOST, container="c-r03"), "unknown"),
        (none_of("checks", container="c-r03"), "unknown"),
        (none_of("broken", number=5), "unknown"),
    ],
    ("heal", "replaced-as-predicted"): [
        # A busy machine takes its time.
        (later(WELL, "c-r23", 12.0), "unknown"),
        (none_of("checks", container="c-r03"), "unknown"),
        (edited("definition", restart_delay_s=5.0), "fail"),
        (none_of("engine", what=WELL), "unknown"),
    ],
    ("heal", "nobody-else"): [
        (lambda run: changed(run, kind("engine", container="c-r31", what=WELL), what=LOST), "fail"),
        (none_of("engine", what=LOST, container="c-r03"), "fail"),
        (in_vain(none_of("engine", container="c-r03")), "fail"),
        (none_of("engine", container="c-r03"), "unknown"),
        # One ended that nobody had made ill, whatever was heard of its engine; nobody looked.
        (last_tasks("web", task("z1", 1), task("y1", 1, "failed", error=KILLED)), "fail"),
        (moved("tasks", to=0.0), "unknown"),
        (last_tasks("web", task("z1", 1, node="manager1")), "unknown"),
    ],
    ("heal", "clients-suffer-only-until-it-ends"): [
        (request_failed_at(2.0), "fail"),
        (request_failed_at(29.0), "fail"),
        (none_of("engine", what="die"), "unknown"),
        (edited("request", status=200), "fail"),
        *uncovered(19.8, 107.8),
    ],
    ("bad-update", "takes-itself-back"): [
        (edited("rolled-back", state="paused"), "fail"),
        (edited("update", said="verify: Service converged"), "fail"),
        (moved("rolled-back", to=1.0), "unknown"),
    ],
    ("bad-update", "old-definition"): [
        (edited("definition", {"when": "after"}, test=["CMD-SHELL", "exit 1"]), "fail"),
        (last_tasks("web", *REPLACED), "fail"),
        (none_of("definition", when="after"), "unknown"),
        # Both lists, or both readings, of one moment.
        (moved("tasks", to=0.0), "unknown"),
        (moved("tasks", to=30.0), "unknown"),
        (moved("definition", to=0.0), "unknown"),
    ],
    ("bad-update", "no-request-failed"): [
        (request_failed_at(3.0), "fail"),
        *uncovered(4.0, 12.0),
    ],
    ("exit-0", "complete-not-failed"): [
        (edited("tasks", tasks=[task("a1", 1, "failed", error=KILLED)]), "fail"),
        (edited("tasks", tasks=[task("a2", 2)]), "unknown"),
        (moved("tasks", to=0.5), "unknown"),
        (edited("tasks", tasks=[task("a1", 1, "complete", exit_code=3)]), "fail"),
        # It may have ended for another reason.
        (edited("checks", exit_codes=[0, 0]), "unknown"),
    ],
    ("exit-0", "slot-stays-empty"): [
        (edited("tasks", tasks=REPLACED), "fail"),
        (edited("watched", seconds=1.0), "unknown"),
        (edited("definition", restart_condition="any"), "unknown"),
        (moved("watched", to=8.0), "unknown"),
        (moved("tasks", to=10.0), "unknown"),
        (moved("tasks", to=30.0), "unknown"),
        (edited("tasks", tasks=[task("n1", 1), task("a2", 2)]), "fail"),
    ],
    ("exit-0", "any-heals"): [
        (last_tasks("trap", task("a1", 1, "complete"), task("b2", 2), task("b3", 3)), "fail"),
        (edited("definition", restart_condition="on-failure"), "fail"),
        (moved("definition", {"when": "after"}, to=40.0), "unknown"),
        (moved("definition", {"when": "after"}, to=2.0), "unknown"),
        (last_tasks("trap", *(task(f"b{n}", n) for n in (1, 2, 3))), "unknown"),
        (unanswered("trap", 15.1), "unknown"),
    ],
    ("endings", "exit-0-is-complete"): [
        (edited("ending", {"program": "redis"}, state="failed"), "fail"),
        (edited("ending", {"program": "postgres"}, exit_code=1), "fail"),
        (none_of("ending", program="nginx"), "unknown"),
        (edited("ending", {"program": "nginx"}, checks=[]), "unknown"),
        (edited("ending", {"program": "nginx"}, checks=[0]), "unknown"),
    ],
    ("endings", "killed-is-failed"): [
        (edited("ending", {"program": "deaf"}, state="complete"), "fail"),
        (edited("ending", {"program": "deaf"}, error="task: non-zero exit (137)"), "fail"),
        (none_of("ending", program="deaf"), "unknown"),
    ],
    ("endings", "gives-up"): [
        (last_tasks("gives-up", task("a0", 1, "complete"), task("a1", 1)), "fail"),
        (last_tasks("gives-up", *(task(f"a{n}", 1, "complete") for n in range(4))), "fail"),
        (edited("watched", seconds=1.0), "unknown"),
        (moved("tasks", to=1.0), "unknown"),
        (edited("tasks", service="another"), "unknown"),
    ],
    ("slow-start", "false-positives"): [
        (last_tasks("slow-none", task("a", 1)), "fail"),
        (last_tasks("slow-short", task("a", 1, "failed"), task("b", 1)), "fail"),
        # Ended, and nobody says that it was for being unhealthy.
        (last_tasks("slow-none", *(task(f"a{n}", 1, "failed") for n in range(3))), "unknown"),
    ],
    ("slow-start", "start-period"): [
        (last_tasks("slow-long", task("a", 1, "failed"), task("b", 1)), "fail"),
        (last_tasks("slow-long", task("a", 1, "starting")), "fail"),
        (none_of("start-period", name="long"), "unknown"),
    ],
    ("database", "hanging-is-unhealthy"): [
        (none_of("engine", what=LOST), "fail"),
        (last_tasks("health_database", task("d1", 1)), "fail"),
        (last_tasks("health_database", task("d1", 1, "complete"), task("d2", 1)), "fail"),
        (moved("frozen", to=10.0), "unknown"),
        (moved("frozen", to=30.0), "unknown"),
        (unanswered("health_database", 24), "unknown"),
    ],
    ("database", "data-kept"): [
        (edited("rows", found=[]), "fail"),
        (moved("rows", to=2.0), "unknown"),
        (edited("rows", task="d1"), "unknown"),
    ],
    ("database", "api-stays-meanwhile"): [
        (request_failed_at(9.0), "fail"),
        (lambda run: none_of("tasks", service=API)(request_failed_at(9.0)(run)), "fail"),
        (last_tasks(API, *REPLACED), "fail"),
        (none_of("tasks", service=API), "unknown"),
        (moved("tasks", to=6.0), "unknown"),
        (none_of("engine", what=WELL), "unknown"),
        *uncovered(5.0, 17.0),
    ],
    ("cascade", "lab-s-check-takes-all-down"): [
        (lambda run: without(run, lambda e: e.kind == "engine" and e.t > 8), "fail"),
        (edited("request", status=200, error=None), "fail"),
        (none_of("outage", what="all down"), "fail"),
        (in_one_slot, "fail"),
        (moved("engine", to=2.0), "fail"),
        (none_of("outage", what="over"), "unknown"),
        (none_of("request", port=8081), "unknown"),
        (none_within(8.0, 20.0, port=8081), "unknown"),
        (none_within(9.0, 20.0, port=8081, **ONE), "unknown"),
        (none_within(0.0, 4.0, port=8081), "unknown"),
    ],
    ("cascade", "liveness-keeps-it-up"): [
        (request_failed_at(10.2), "fail"),
        (last_tasks(API, *REPLACED), "fail"),
        (none_of("request", port=8080), "unknown"),
        (none_of("tasks", service=API), "unknown"),
        (moved("tasks", to=0.0), "unknown"),
        (last_tasks(API, task("n1", 1), task("n2", 2)), "fail"),
        *uncovered(4.0, 20.0, port=8080),
    ],
    ("cascade", "readiness-tells"): [
        (edited("readiness", status="200"), "fail"),
        (edited("readiness", checks={"database": "ok", "redis": "ok"}), "fail"),
        (edited("readiness", checks={"database": "fail", "redis": "fail"}), "fail"),
        (moved("readiness", to=1.0), "unknown"),
        (moved("readiness", to=35.0), "unknown"),
    ],
    ("cascade", "comes-back"): [
        (last_tasks(LABS, task("a", 1, "starting")), "fail"),
        (none_of("tasks", service=LABS), "unknown"),
        (none_of("outage", what="over"), "unknown"),
        # As it was before Redis went; another service's.
        (moved("tasks", to=0.0), "unknown"),
        (last_tasks(LABS, task("n1", 1), task("n2", 2)), "unknown"),
    ],
}  # fmt: skip


STILL_PASSES = {
    ("2.9.*.*", "[est]*: the later half of another cluster"): "containers are only told apart",
    # What has no clock of its own to follow: a definition, a list of checks that engines keep.
    ("2.9.*.*", "checks: [am]*"): ALONE,
    ("2.9.*.*", "definition: all seen at the phase's beginning"): ALONE,
    # The third is the program that is killed.
    ("2.9.endings.exit-0-is-complete", "ending: not the one of number 3"): ENOUGH,
    # Where nobody saw the command of the remedy, the new definition tells that it came.
    ("2.9.exit-0.slot-stays-empty", "command: *"): ENOUGH,
    ("2.9.database.hanging-*", "engine: *[nm]*"): ENOUGH,
    ("2.9.database.api-*", "engine: moments shuffled"): ANY_ORDER,
    ("2.9.cascade.*", "tasks: not the one of number ?"): ENOUGH,
}
"""What passes on a broken record of a real run, and why that is right."""


class TestJudge(JudgeContract):
    exercise = exercise
    phases = RUNS
    good = staticmethod(good)
    broken = BROKEN


def test_every_repetition_is_measured_and_so_is_what_was_predicted() -> None:
    found = exercise.measurements(good("heal"))["heal"]
    every = [str(number) for number in range(1, REPETITIONS + 1)]
    assert found["detection_s"] == dict.fromkeys(every, 3.0)
    assert found["replacement_s"] == dict.fromkeys(every, 4.8)
    assert found["stop_s"] == dict.fromkeys(every, 2.2)
    # Three failures in a row: two intervals at least; at most three, and the four last checks.
    assert found["detection_predicted_s"] == {"from": 2.0, "to": pytest.approx(3.7 + 1.5)}
    assert found["replacement_predicted_s"]["from"] == 2.0
    assert found["bad_answers"] == dict.fromkeys(every, 1)


def test_both_apis_are_measured_in_the_same_outage() -> None:
    found = exercise.measurements(good("cascade"))["cascade"]
    assert found["down_after_s"] == 4.0
    assert (found["labs_restarts"], found["live_restarts"]) == (4, 0)
    assert (found["labs_failed"], found["live_failed"]) == (42, 0)


def test_the_drills_do_what_the_judge_counts_on() -> None:
    assert perform.MOST_ATTEMPTS == 2
    assert application.SECRET not in (STACKS / "health" / "api.py").read_text()


def test_the_api_s_healthcheck_asks_for_nothing_but_itself() -> None:
    stack = (STACKS / application.FILE).read_text()
    assert re.findall(r"http://127\.0\.0\.1:8080(/\S+?)\"", stack) == ["/health/live"]
    # As a policy; the corrections name what they correct.
    assert not re.search(r"^\s*(condition: on-failure|max_attempts:)", stack, re.MULTILINE)


@pytest.mark.parametrize(
    "said",
    [
        "2026-11-30T02:15:00.123456789Z",
        "2026-11-30T08:00:00.123456789+05:45",
        "2026-11-29T22:45:00.123456-03:30",
    ],
)
def test_a_health_check_s_moment_is_one_in_every_node_s_time_zone(said: str) -> None:
    assert drill._when(said) == pytest.approx(1_796_004_900.123456)
