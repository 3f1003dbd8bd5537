"""Every check of the monitoring passes on a good run's record and fails on a broken one's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.model import Verdict
from tests.exercises.monitoring.declared import EXPECTED, PROVOKED
from tests.exercises.monitoring.setting import (
    DASHBOARDS,
    NAME,
    ONE_EACH,
    REPLICAS,
    SHOP_DASHBOARDS,
    SHOP_JOBS,
)
from tests.exercises.monitoring.verify import exercise
from tests.unit.records.editing import LAB, Edit, edited, kind, last, none_of, timed, without
from tests.unit.records.judge import Broken, JudgeContract

Row = tuple[float, str, dict[str, Any]]

CLOCK = 1_750_000_000.0
"""What a node's clock says at the record's second 0: 2025-06-15T15:06:40Z."""

FOR_S, TRUE_AFTER_S, TOLD_AFTER_S = 15.0, 6.0, 3.0
MENDED, OVER, QUIET = 100.0, 120.0, 130.0


def at(second: float) -> str:
    """That moment of the node's clock, as Go writes it."""
    minute, rest = divmod(6 * 60 + 40 + second, 60)
    return f"2025-06-15T15:{int(minute):02}:{rest:09.6f}Z"


def labels(alert: str, phase: str) -> dict[str, str]:
    named = {"node": "worker2", "service": "web"}
    return {each: named[each] for each in EXPECTED[phase][alert].labels}


def heard(second: float, alert: str, status: str, of: dict[str, str], starts: float) -> Row:
    said = {
        "alert": alert, "status": status, "labels": {**of, "severity": "page"},
        "starts": at(starts), "ends": "0001-01-01T00:00:00Z", "heard": CLOCK + second,
        "summary": "worker2 is not ready.", "action": "Is the machine on?",
    }  # fmt: skip
    return second + 0.3, "heard", said


def provoked(phase: str) -> Iterator[Row]:
    """Each alert a second after the other: true, firing, heard; then all is mended, and over."""
    names = list(EXPECTED[phase])
    yield 0.0, "rules", {"rules": {name: {"for": FOR_S, "health": "ok"} for name in names}}
    for number, name in enumerate(names, 1):
        deed, of = float(number), labels(name, phase)
        true = deed + TRUE_AFTER_S
        fires = true + FOR_S
        marked = {"alert": name, "labels": of}
        yield deed, "provoked", {**marked, "clock": CLOCK + deed}
        yield heard(fires + TOLD_AFTER_S, name, "firing", of, fires)
        active = {"alert": name, "labels": of, "state": "firing", "since": at(true)}
        yield 50.0, "active", active
        yield MENDED + number, "mending", {**marked, "clock": CLOCK + MENDED + number}
        yield MENDED + number + 0.5, "mended", {**marked, "clock": CLOCK + MENDED + number + 0.5}
        yield heard(OVER + number, name, "resolved", of, fires)
    yield QUIET, "quiet", {}


def deployed() -> Iterator[Row]:
    for name, count in REPLICAS.items():
        rows = [
            {
                "id": f"{name}-{slot}", "slot": slot, "node": "worker1", "state": "running",
                "desired": "running", "error": "", "exit_code": 0, "container": f"c-{slot}",
            }
            for slot in range(count)
        ]  # fmt: skip
        yield (
            1.0,
            "tasks",
            {"service": f"{NAME}_{name}", "seen_from": "manager1", "seconds": 0.0, "tasks": rows},
        )
    yield 2.0, "quiet", {}
    yield 3.0, "rules", {"rules": {"NodeDown": {"for": 10.0, "health": "ok"}}}
    targets = [{"job": job, "node": node} for job in ("engine", "node") for node in LAB]
    targets += [{"job": "manager-port", "node": node} for node in LAB if "manager" in node]
    targets += [{"job": job, "node": "worker1"} for job in ONE_EACH]
    yield 4.0, "targets", {"targets": [{**target, "up": True} for target in targets]}
    yield from panels(DASHBOARDS)


def beside() -> Iterator[Row]:
    told = [{"job": job, "node": "", "up": True} for job in (*SHOP_JOBS, *ONE_EACH)]
    yield 1.0, "targets", {"targets": told}
    yield from panels(SHOP_DASHBOARDS)


def panels(dashboards: Iterable[str]) -> Iterator[Row]:
    for dashboard in dashboards:
        panel = {"panel": "Load", "expr": "up", "series": 5, "error": None}
        yield 5.0, "panel", {"dashboard": dashboard, **panel}


def shifted(status: str, seconds: float) -> Edit:
    """All of that was heard so much later."""

    def edit(run: Record) -> Record:
        wanted = kind("heard", status=status)
        return Record(
            tuple(
                replace(e, data={**e.data, "heard": e.data["heard"] + seconds}) if wanted(e) else e
                for e in run
            )
        )

    return edit


def targets(run: Record, **data: Any) -> Record:
    """The first target says something else."""
    event = run.need("targets", "")
    told = [{**event.data["targets"][0], **data}, *event.data["targets"][1:]]
    return edited("targets", targets=told)(run)


BROKEN: Broken = {
    ("deployed", "replicas"): [
        (last("tasks", {"service": "monitoring_prometheus"}, tasks=[]), "fail"),
        (none_of("tasks", service="monitoring_recorder"), "unknown"),
    ],
    ("deployed", "all-watched"): [
        (lambda run: targets(run, up=False), "fail"),
        (lambda run: targets(run, node="manager2"), "fail"),
        (edited("targets", targets=[]), "fail"),
        (none_of("targets"), "unknown"),
    ],
    ("deployed", "nothing-to-tell"): [
        (edited("rules", rules={"NodeDown": {"for": 10.0, "health": "err"}}), "fail"),
        (edited("rules", rules={}), "fail"),
        (none_of("quiet"), "unknown"),
        (none_of("rules"), "unknown"),
    ],
    ("deployed", "dashboards"): [
        (last("panel", series=0), "fail"),
        (last("panel", error="parse error"), "fail"),
        (none_of("panel", dashboard="swarm"), "unknown"),
    ],
    ("shop", "shop-watched"): [
        (lambda run: targets(run, up=False), "fail"),
        (lambda run: targets(run, job="node"), "fail"),
        (edited("targets", targets=[]), "fail"),
        (none_of("targets"), "unknown"),
    ],
    ("shop", "dashboards"): [
        (last("panel", series=0), "fail"),
        (last("panel", error="parse error"), "fail"),
        (none_of("panel"), "unknown"),
    ],
}
for _phase in PROVOKED:
    _first = next(iter(EXPECTED[_phase]))
    _other = "SwarmUnseen" if "ShopSlow" in EXPECTED[_phase] else "ShopSlow"
    BROKEN |= {
        (_phase, "told"): [
            (none_of("heard", alert=_first, status="firing"), "fail"),
            (edited("heard", {"alert": _first}, heard=CLOCK - 5), "fail"),
            (none_of("provoked", alert=_first), "unknown"),
        ],
        (_phase, "in-time"): [
            (shifted("firing", 120.0), "fail"),
            (none_of("heard", alert=_first, status="firing"), "unknown"),
            (none_of("rules"), "unknown"),
        ],
        (_phase, "waits-its-for"): [
            (edited("active", {"alert": _first}, since=at(TRUE_AFTER_S + FOR_S)), "fail"),
            (edited("active", {"alert": _first}, since=at(-40)), "fail"),
            (none_of("active", alert=_first), "unknown"),
        ],
        (_phase, "over"): [
            (none_of("heard", alert=_first, status="resolved"), "fail"),
            (shifted("resolved", -60.0), "fail"),
            (shifted("resolved", 600.0), "fail"),
            (none_of("mending", alert=_first), "unknown"),
        ],
        (_phase, "nothing-else"): [
            (last("heard", {"status": "firing"}, alert=_other), "fail"),
            (none_of("heard"), "fail"),
            (none_of("quiet"), "unknown"),
        ],
        (_phase, "says-what-to-do"): [
            (edited("heard", {"alert": _first}, action=""), "fail"),
            (edited("heard", {"alert": _first}, summary="{{ $value }} managers"), "fail"),
            (none_of("heard", alert=_first, status="firing"), "unknown"),
        ],
    }


class TestJudges(JudgeContract):
    exercise = exercise
    phases = ("deployed", "shop", *PROVOKED)
    broken = BROKEN

    @staticmethod
    def good(phase: str) -> Record:
        name = exercise.phase(phase)
        seen = {"deployed": deployed, "shop": beside}
        return timed(name, *(seen[phase]() if phase in seen else provoked(phase)))


@pytest.mark.parametrize(
    "phase", [p for p in PROVOKED if any(each.labels for each in EXPECTED[p].values())]
)
def test_an_alert_of_another_node_is_not_the_one_that_was_provoked(phase: str) -> None:
    of = [name for name, each in EXPECTED[phase].items() if each.labels]
    good = TestJudges.good(phase)
    other = {"node": "worker9", "service": "other"}
    run = edited("heard", {"alert": of[0]}, labels=other)(good)
    (found,) = (r for r in exercise.judge(run, phase) if r.id.endswith(".told"))
    assert found.verdict is Verdict.FAIL


def test_what_was_provoked_decides_which_phase_it_is() -> None:
    good = TestJudges.good("kept")
    run = without(good, kind("provoked", alert="NodeDiskFull"))
    assert {r.verdict for r in exercise.judge(run, "kept")} == {Verdict.UNKNOWN}
