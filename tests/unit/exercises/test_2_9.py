"""Every check of exercise 2.9 passes on a good run's record and fails on a broken one's."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.model import Event
from tests.exercises.exercise_2_9 import application, drill, perform
from tests.exercises.exercise_2_9.verify import KILLED, REPETITIONS, ROW, TAKEN_BACK, exercise
from tests.unit.records.editing import Edit, changed, edited, kind, last, none_of, without
from tests.unit.records.judge import Broken, JudgeContract

Row = tuple[float, str, dict[str, Any]]

STACKS = Path(__file__).parents[3] / "stacks"
NGINX = "nginx:alpine"
LOST = "health_status: unhealthy"
WELL = "health_status: healthy"


def seen(t: float, kind_: str, /, **data: Any) -> Row:
    return t, kind_, data


def task(id_: str, slot: int, state: str = "running", **more: Any) -> dict[str, Any]:
    desired = "running" if state in {"running", "starting"} else "shutdown"
    row = {"id": id_, "slot": slot, "node": "worker1", "state": state, "desired": desired}
    return {**row, "error": "", "exit_code": 0, "container": f"c-{id_}", **more}


def tasks(t: float, service: str, *rows: dict[str, Any]) -> Row:
    return seen(t, "tasks", service=service, seen_from="manager1", seconds=0.0, tasks=list(rows))


def three(t: float, service: str, mark: str = "a") -> Row:
    return tasks(t, service, *(task(f"{mark}{slot}", slot) for slot in (1, 2, 3)))


def two(t: float, service: str, mark: str = "a") -> Row:
    return tasks(t, service, *(task(f"{mark}{slot}", slot) for slot in (1, 2)))


def engine(t: float, what: str, container: str, slot: int = 1, service: str = "web") -> Row:
    return seen(
        t, "engine", node="worker1", what=what, container=container, slot=slot, service=service,
        exit_code="0" if what == "die" else None,
    )  # fmt: skip


def request(t: float, status: int | None = 200, port: int = 8080, path: str = "/") -> Row:
    return seen(
        t + 0.1, "request", node="manager1", sent=t, seconds=0.1, status=status,
        error=None if status else "timeout", port=port, url=f"http://manager1:{port}{path}",
    )  # fmt: skip


def definition(t: float, when: str = "before", **more: Any) -> Row:
    usual = {
        "service": "web", "image": NGINX, "test": ["CMD-SHELL", perform.ASKS], "interval_s": 1.0,
        "timeout_s": 5.0, "retries": 3, "start_interval_s": 1.0, "restart_condition": "any",
        "restart_delay_s": 1.0, "grace_s": 10.0,
    }  # fmt: skip
    return seen(t, "definition", when=when, **{**usual, **more})


def broken(t: float, number: int, slot: int, id_: str) -> Row:
    return seen(
        t, "broken", number=number, began=t - 0.2, id=id_, slot=slot, node="worker1",
        container=f"c-{id_}",
    )  # fmt: skip


def repetition(number: int) -> list[Row]:
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
        seen(
            t + 9.5,
            "checks",
            container=f"c-{ill}",
            seconds=[0.9, 0.1, 0.2, 0.2, 0.2],
            exit_codes=[0, 0, 1, 1, 1],
        ),
    ]


def served(t: float, when: str, *states: str, counts: tuple[int, int]) -> Row:
    return seen(
        t, "served", when=when, served=dict(zip("ab", counts, strict=True)),
        states=dict(zip("ab", states, strict=True)),
    )  # fmt: skip


def asked(t: float, when: str, status: int | None) -> list[Row]:
    return [request(t + n, status, path=f"/?asked={when}") for n in range(4)]


def ending(t: float, program: str, state: str, code: int, error: str = "") -> Row:
    return seen(t, "ending", program=program, state=state, exit_code=code, error=error)


def slow(t: float, name: str, *states: str) -> list[Row]:
    rows = [task(f"{name}{n}", 1, state) for n, state in enumerate(states)]
    return [
        seen(t, "start-period", name=name, service=f"slow-{name}"),
        tasks(t, f"slow-{name}", *rows),
    ]


def outage(t: float, what: str) -> Row:
    return seen(t, "outage", what=what)


READY = {"database": "ok", "redis": "fail: ConnectionError"}
API, LABS = "health_api", "labs_api"

RUNS: dict[str, list[Row]] = {
    "starting": [
        *asked(0, "none", None),
        served(5, "none", "starting", "starting", counts=(0, 0)),
        *asked(6, "one", 200),
        served(11, "one", "running", "starting", counts=(4, 0)),
        *asked(12, "both", 200),
        served(17, "both", "running", "running", counts=(2, 2)),
    ],
    "heal": [
        definition(1),
        request(2),
        *(row for number in range(1, REPETITIONS + 1) for row in repetition(number)),
        three(150, "web", "z"),
    ],
    "bad-update": [
        definition(0),
        three(0, "web"),
        request(1),
        seen(2, "update", code=1, said=f"service rolled back: {TAKEN_BACK} x1"),
        request(3),
        definition(4, "after"),
        seen(5, "rolled-back", state="rollback_completed", message="rollback completed"),
        three(6, "web"),
    ],
    "exit-0": [
        definition(0, restart_condition="on-failure"),
        broken(1, 1, 1, "a1"),
        seen(15, "watched", seconds=8.0),
        tasks(15, "trap", task("a1", 1, "complete"), task("a2", 2), task("a3", 3)),
        definition(20, "after"),
        three(30, "trap", "b"),
    ],
    "endings": [
        ending(1, "nginx", "complete", 0),
        ending(2, "redis", "complete", 0),
        ending(3, "postgres", "complete", 0),
        ending(4, "deaf", "failed", 137, KILLED),
        seen(9, "watched", seconds=8.0),
        tasks(9, "gives-up", *(task(f"a{n}", 1, "complete") for n in range(3))),
    ],
    "slow-start": [
        *slow(1, "none", *["complete"] * 3, "starting"),
        *slow(2, "short", *["failed"] * 3, "starting"),
        *slow(3, "long", "running"),
    ],
    "database": [
        request(1),
        seen(2, "frozen", task="d1", container="c-d1"),
        engine(8, LOST, "c-d1", service="health_database"),
        request(9),
        tasks(20, "health_database", task("d1", 1, "failed", error=KILLED), task("d2", 1)),
        two(20, API),
        seen(21, "rows", task="d2", found=[ROW]),
    ],
    "cascade": [
        two(0, API),
        two(0, LABS),
        request(1),
        request(1, port=8081),
        outage(2, "began"),
        *(engine(3 + n, "die", f"l{n}", service=LABS) for n in range(2)),
        outage(8, "all down"),
        seen(9, "readiness", status="503", checks=READY),
        request(10),
        request(11, None, port=8081),
        *(engine(12 + n, "die", f"l{n + 2}", service=LABS) for n in range(2)),
        outage(20, "over"),
        outage(30, "all back"),
        request(31, port=8081),
        two(40, API),
        two(40, LABS, "n"),
    ],
}  # fmt: skip


def good(phase: str) -> Record:
    return Record(
        tuple(
            Event(number, t, "2026-05-04T10:00:00+00:00", kind, f"2.9/{phase}", data)
            for number, (t, kind, data) in enumerate(sorted(RUNS[phase], key=lambda row: row[0]))
        )
    )


def last_tasks(service: str, *rows: dict[str, Any]) -> Edit:
    """The last listing of that service's tasks is this."""
    return last("tasks", {"service": service}, tasks=list(rows))


def later(what: str, container: str, by: float) -> Edit:
    """That container's event came so many seconds later."""

    wanted = kind("engine", what=what, container=container)

    def edit(run: Record) -> Record:
        events = [replace(e, t=e.t + by) if wanted(e) else e for e in run]
        return Record(tuple(sorted(events, key=lambda e: e.t)))

    return edit


def request_failed_at(t: float) -> Edit:
    return lambda run: changed(run, kind("request", sent=t), status=502)


REPLACED = [task("a1", 1), task("a2", 2, "complete"), task("n2", 2), task("a3", 3)]

BROKEN: Broken = {
    ("starting", "starting-until-healthy"): [
        (edited("served", {"when": "none"}, states={"a": "running", "b": "running"}), "fail"),
        (edited("served", {"when": "both"}, states={"a": "running", "b": "starting"}), "fail"),
        (none_of("served", when="one"), "unknown"),
    ],
    ("starting", "no-visitor-before"): [
        (edited("served", {"when": "one"}, served={"a": 3, "b": 1}), "fail"),
        (edited("served", {"when": "none"}, served={"a": 1, "b": 0}), "fail"),
        (edited("request", status=200, error=None), "fail"),
        (none_of("served", when="none"), "unknown"),
        (none_of("request"), "unknown"),
    ],
    ("starting", "visitors-after"): [
        (edited("served", {"when": "both"}, served={"a": 4, "b": 0}), "fail"),
        (edited("request", status=None, error="timeout"), "fail"),
        (none_of("served", when="both"), "unknown"),
    ],
    ("heal", "healed-in-its-slot"): [
        (none_of("engine", what=WELL, container="c-r12"), "fail"),
        (none_of("engine", what=LOST), "fail"),
        (last_tasks("web", task("a1", 1), task("a2", 2)), "fail"),
        (none_of("broken"), "unknown"),
        (none_of("broken", number=5), "fail"),
    ],
    ("heal", "detected-as-predicted"): [
        (later(LOST, "c-r03", 4.0), "fail"),
        (later(LOST, "c-r03", -2.0), "fail"),
        (none_of("engine", what=LOST, container="c-r03"), "unknown"),
        (none_of("checks"), "unknown"),
        (none_of("definition"), "unknown"),
        (none_of("broken", number=5), "unknown"),
    ],
    ("heal", "replaced-as-predicted"): [
        (later(WELL, "c-r23", 12.0), "fail"),
        (edited("definition", restart_delay_s=5.0), "fail"),
        (none_of("engine", what=WELL), "unknown"),
    ],
    ("heal", "nobody-else"): [
        (lambda run: changed(run, kind("engine", container="c-r31", what=WELL), what=LOST), "fail"),
        (none_of("engine", what=LOST, container="c-r03"), "fail"),
        (none_of("engine"), "unknown"),
    ],
    ("heal", "clients-suffer-only-until-it-ends"): [
        (request_failed_at(2.0), "fail"),
        (request_failed_at(29.0), "fail"),
        (none_of("request"), "unknown"),
        (none_of("engine", what="die"), "unknown"),
    ],
    ("bad-update", "takes-itself-back"): [
        (edited("rolled-back", state="paused"), "fail"),
        (edited("update", said="verify: Service converged"), "fail"),
        (none_of("update"), "unknown"),
        (none_of("rolled-back"), "unknown"),
    ],
    ("bad-update", "old-definition"): [
        (edited("definition", {"when": "after"}, test=["CMD-SHELL", "exit 1"]), "fail"),
        (last_tasks("web", *REPLACED), "fail"),
        (none_of("definition", when="after"), "unknown"),
        (none_of("tasks"), "unknown"),
    ],
    ("bad-update", "no-request-failed"): [
        (request_failed_at(3.0), "fail"),
        (none_of("request"), "unknown"),
    ],
    ("exit-0", "complete-not-failed"): [
        (edited("tasks", tasks=[task("a1", 1, "failed", error=KILLED)]), "fail"),
        (edited("tasks", tasks=[task("a2", 2)]), "unknown"),
        (none_of("tasks"), "unknown"),
    ],
    ("exit-0", "slot-stays-empty"): [
        (edited("tasks", tasks=REPLACED), "fail"),
        (edited("watched", seconds=1.0), "unknown"),
        (edited("definition", restart_condition="any"), "unknown"),
        (none_of("watched"), "unknown"),
    ],
    ("exit-0", "any-heals"): [
        (last_tasks("trap", task("a1", 1, "complete"), task("b2", 2), task("b3", 3)), "fail"),
        (edited("definition", restart_condition="on-failure"), "fail"),
        (none_of("broken"), "unknown"),
    ],
    ("endings", "exit-0-is-complete"): [
        (edited("ending", {"program": "redis"}, state="failed"), "fail"),
        (edited("ending", {"program": "postgres"}, exit_code=1), "fail"),
        (none_of("ending", program="nginx"), "unknown"),
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
        (none_of("tasks"), "fail"),
    ],
    ("slow-start", "false-positives"): [
        (last_tasks("slow-none", task("a", 1)), "fail"),
        (last_tasks("slow-short", task("a", 1, "failed"), task("b", 1)), "fail"),
        (none_of("tasks"), "unknown"),
    ],
    ("slow-start", "start-period"): [
        (last_tasks("slow-long", task("a", 1, "failed"), task("b", 1)), "fail"),
        (last_tasks("slow-long", task("a", 1, "starting")), "fail"),
        (none_of("start-period", name="long"), "unknown"),
    ],
    ("database", "hanging-is-unhealthy"): [
        (none_of("engine"), "fail"),
        (last_tasks("health_database", task("d1", 1)), "fail"),
        (last_tasks("health_database", task("d1", 1, "complete"), task("d2", 1)), "fail"),
        (none_of("frozen"), "unknown"),
    ],
    ("database", "data-kept"): [
        (edited("rows", found=[]), "fail"),
        (none_of("rows"), "unknown"),
    ],
    ("database", "api-stays-meanwhile"): [
        (request_failed_at(9), "fail"),
        (last_tasks(API, *REPLACED), "fail"),
        (none_of("request"), "unknown"),
        (none_of("tasks", service=API), "unknown"),
    ],
    ("cascade", "lab-s-check-takes-all-down"): [
        (lambda run: without(run, lambda e: e.kind == "engine" and e.t > 8), "fail"),
        (edited("request", status=200, error=None), "fail"),
        (none_of("outage", what="all down"), "fail"),
    ],
    ("cascade", "liveness-keeps-it-up"): [
        (request_failed_at(10), "fail"),
        (last_tasks(API, *REPLACED), "fail"),
        (none_of("request", port=8080), "unknown"),
    ],
    ("cascade", "readiness-tells"): [
        (edited("readiness", status="200"), "fail"),
        (edited("readiness", checks={"database": "ok", "redis": "ok"}), "fail"),
        (edited("readiness", checks={"database": "fail", "redis": "fail"}), "fail"),
        (none_of("readiness"), "unknown"),
    ],
    ("cascade", "comes-back"): [
        (last_tasks(LABS, task("a", 1, "starting")), "fail"),
        (none_of("tasks", service=LABS), "unknown"),
        (none_of("outage", what="over"), "unknown"),
    ],
}  # fmt: skip


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
    assert found["down_after_s"] == 6.0
    assert (found["labs_restarts"], found["live_restarts"]) == (4, 0)
    assert (found["labs_failed"], found["live_failed"]) == (1, 0)


def test_the_drills_do_what_the_judge_counts_on() -> None:
    assert drill.REPETITIONS >= REPETITIONS
    assert perform.MOST_ATTEMPTS == 2
    assert application.SECRET not in (STACKS / "health" / "api.py").read_text()


def test_the_api_s_healthcheck_asks_for_nothing_but_itself() -> None:
    stack = (STACKS / application.FILE).read_text()
    assert re.findall(r"http://127\.0\.0\.1:8080(/\S+?)\"", stack) == ["/health/live"]
    # As a policy; the corrections name what they correct.
    assert not re.search(r"^\s*(condition: on-failure|max_attempts:)", stack, re.MULTILINE)
