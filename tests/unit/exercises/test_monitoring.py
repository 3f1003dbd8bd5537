"""Every check of the monitoring passes on a good run's record and fails on a broken one's."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.model import Verdict
from tests.exercises.monitoring import dashboards
from tests.exercises.monitoring.declared import BESIDES, EXPECTED, PROVOKED, RULES
from tests.exercises.monitoring.setting import (
    DASHBOARDS,
    NAME,
    ONE_EACH,
    REPLICAS,
    SHOP_DASHBOARDS,
    SHOP_JOBS,
)
from tests.exercises.monitoring.verify import delays, exercise
from tests.unit.records.breaker import ANY_ORDER, ENOUGH, UNUSED, real
from tests.unit.records.editing import (
    LAB,
    Edit,
    edited,
    in_vain,
    kind,
    last,
    moved,
    none_of,
    timed,
    without,
)
from tests.unit.records.judge import Broken, JudgeContract

Row = tuple[float, str, dict[str, Any]]

SEEN = Path(__file__).parents[3] / "docs" / "monitoring.md"

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
    yield 3.0, "rules", {"rules": {name: {"for": 10.0, "health": "ok"} for name in RULES}}
    targets = [{"job": job, "node": node} for job in ("engine", "node") for node in LAB]
    targets += [{"job": "manager-port", "node": node} for node in LAB if "manager" in node]
    targets += [{"job": job, "node": "worker1"} for job in ONE_EACH]
    yield 4.0, "targets", {"targets": [{**target, "up": True} for target in targets]}
    yield from panels(DASHBOARDS)


def beside() -> Iterator[Row]:
    jobs = [*Counter(SHOP_JOBS).elements(), *ONE_EACH]
    told = [{"job": job, "node": "", "up": True} for job in jobs]
    yield 1.0, "targets", {"targets": told}
    yield from panels(SHOP_DASHBOARDS)


def panels(dashboards: Mapping[str, int]) -> Iterator[Row]:
    for dashboard, count in dashboards.items():
        for number in range(count):
            panel = {"panel": f"Load {number}", "expr": "up", "series": 5, "error": None}
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
    """The first target says something else, where any was looked at."""
    event = run.last("targets")
    if event is None:
        return run
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
    ],
    ("deployed", "nothing-to-tell"): [
        (edited("rules", rules={n: {"for": 10.0, "health": "err"} for n in RULES}), "fail"),
        # One of the files of rules was read.
        (edited("rules", rules={"NodeDown": {"for": 10.0, "health": "ok"}}), "fail"),
        (edited("rules", rules={}), "fail"),
    ],
    ("deployed", "dashboards"): [
        (last("panel", series=0), "fail"),
        (last("panel", error="parse error"), "fail"),
        (none_of("panel", dashboard="swarm"), "unknown"),
        (none_of("panel", dashboard="swarm", panel="Load 3"), "unknown"),
    ],
    ("shop", "shop-watched"): [
        (lambda run: targets(run, up=False), "fail"),
        (lambda run: targets(run, job="node"), "fail"),
        # One of its services is in the network, and no other.
        (
            edited("targets", targets=[{"job": n, "node": "", "up": True} for n in SHOP_JOBS]),
            "fail",
        ),
        (edited("targets", targets=[]), "fail"),
    ],
    ("shop", "dashboards"): [
        (last("panel", series=0), "fail"),
        (last("panel", error="parse error"), "fail"),
        (none_of("panel", panel="Load 3"), "unknown"),
    ],
}


def _left(phase: str) -> str:
    """Of a phase's only alert nothing is heard, of the first of several not all."""
    return "fail" if len(EXPECTED[phase]) == 1 else "unknown"


for _phase in PROVOKED:
    _first = next(iter(EXPECTED[_phase]))
    _other = "SwarmUnseen" if "ShopSlow" in EXPECTED[_phase] else "ShopSlow"
    BROKEN |= {
        (_phase, "told"): [
            (in_vain(none_of("heard", alert=_first, status="firing")), "fail"),
            (none_of("heard", alert=_first, status="firing"), "unknown"),
            (edited("heard", {"alert": _first}, heard=CLOCK - 5), "fail"),
            (none_of("provoked", alert=_first), "unknown"),
            # Nobody saw whether it was told while it was so.
            (none_of("mending", alert=_first), "unknown"),
            (moved("heard", {"alert": _first, "status": "firing"}, to=QUIET), "unknown"),
            (moved("heard", {"alert": _first, "status": "firing"}, to=0.0), "unknown"),
        ],
        (_phase, "in-time"): [
            (shifted("firing", 120.0), "fail"),
            (none_of("heard", alert=_first, status="firing"), "unknown"),
        ],
        (_phase, "waits-its-for"): [
            (edited("active", {"alert": _first}, since=at(TRUE_AFTER_S + FOR_S)), "fail"),
            (edited("active", {"alert": _first}, since=at(-40)), "fail"),
            (none_of("active", alert=_first), "unknown"),
            (moved("active", to=0.0), "unknown"),
        ],
        (_phase, "over"): [
            (in_vain(none_of("heard", alert=_first, status="resolved")), "fail"),
            (none_of("heard", alert=_first, status="resolved"), "unknown"),
            (shifted("resolved", -60.0), "fail"),
            (shifted("resolved", 600.0), "fail"),
            (none_of("mending", alert=_first), "unknown"),
            (none_of("mended", alert=_first), "unknown"),
            (moved("mended", to=0.0), "unknown"),
        ],
        (_phase, "nothing-else"): [
            (last("heard", {"status": "firing"}, alert=_other), "fail"),
            (in_vain(none_of("heard")), "fail"),
            (none_of("heard"), "unknown"),
            (moved("quiet", to=0.0), "unknown"),
            (in_vain(none_of("heard", alert=_first, status="firing")), _left(_phase)),
        ],
        (_phase, "says-what-to-do"): [
            (edited("heard", {"alert": _first}, action=""), "fail"),
            (edited("heard", {"alert": _first}, summary="{{ $value }} managers"), "fail"),
            (none_of("heard", alert=_first, status="firing"), "unknown"),
        ],
    }


STILL_PASSES = {
    # They are counted; which containers they have is not claimed.
    ("monitoring.deployed.replicas", "tasks: the later half of another cluster"): UNUSED,
    # Each has its own moment, by the clock of the node that hears.
    ("monitoring.*.*", "provoked: moments shuffled"): ANY_ORDER,
    ("monitoring.*.*", "mending: moments shuffled"): ANY_ORDER,
    ("monitoring.*.*", "mending: all seen at the phase's end"): "it was told before it was mended",
    # Every node's certificate ends; of the front two pages are asked for.
    ("monitoring.certificate.*", "active: not the one of number ?"): ENOUGH,
    ("monitoring.certificate.*", "heard: none ?*"): ENOUGH,
    ("monitoring.certificate.*", "heard: moments shuffled"): ANY_ORDER,
    ("monitoring.shop-front.*", "heard: not the one of number ?"): ENOUGH,
    ("monitoring.shop-front.*", "heard: moments shuffled"): ANY_ORDER,
    # What follows of itself may be told or not.
    ("monitoring.quorum-lost.nothing-else", "heard: none ?*"): ENOUGH,
}
"""What passes on a broken record of a real run, and why that is right."""


def good(phase: str) -> Record:
    """The record of a run in which that phase went well."""
    name = exercise.phase(phase)
    seen = {"deployed": deployed, "shop": beside}
    return timed(name, *(seen[phase]() if phase in seen else provoked(phase)))


class TestJudges(JudgeContract):
    exercise = exercise
    phases = ("deployed", "shop", *PROVOKED)
    broken = BROKEN
    good = staticmethod(good)


@pytest.mark.parametrize(
    "phase", [p for p in PROVOKED if any(each.labels for each in EXPECTED[p].values())]
)
def test_an_alert_of_another_node_is_not_the_one_that_was_provoked(phase: str) -> None:
    of = [name for name, each in EXPECTED[phase].items() if each.labels]
    other = {"node": "worker9", "service": "other"}
    run = in_vain(edited("heard", {"alert": of[0]}, labels=other))(good(phase))
    found = {r.id.rpartition(".")[2]: r.verdict for r in exercise.judge(run, phase)}
    assert found["told"] is Verdict.FAIL
    follows = of[0] in BESIDES[phase]
    assert found["nothing-else"] is (Verdict.UNKNOWN if follows else Verdict.FAIL)


@pytest.mark.parametrize(("service", "verdict"), [("loop", "pass"), ("swarmlab_gateway", "fail")])
def test_replicas_are_missing_of_the_service_whose_task_ends_each_time(
    service: str, verdict: str
) -> None:
    run = good("kept")
    one = next(e for e in run if kind("heard", status="firing")(e))
    other = replace(
        one, data={**one.data, "alert": "ServiceReplicasMissing", "labels": {"service": service}}
    )
    found = {r.id: r.verdict for r in exercise.judge(Record((*run, other)), "kept")}
    assert found["monitoring.kept.nothing-else"] is Verdict(verdict)


def test_what_was_provoked_decides_which_phase_it_is() -> None:
    run = without(good("kept"), kind("provoked", alert="NodeDiskFull"))
    assert {r.verdict for r in exercise.judge(run, "kept")} == {Verdict.UNKNOWN}


def test_every_query_of_a_dashboard_is_counted() -> None:
    asked = Counter(query.dashboard for query in dashboards.queries())
    assert asked == {**DASHBOARDS, **SHOP_DASHBOARDS}


def test_an_alert_is_measured_from_its_cause_and_from_when_it_was_mended() -> None:
    found = exercise.measurements(good("shop-front"))["shop-front"]
    heard, over = TRUE_AFTER_S + FOR_S + TOLD_AFTER_S, OVER - MENDED - 0.5
    assert found == {"ShopFrontDown_told_s": heard, "ShopFrontDown_over_s": over}
    never = none_of("heard")(good("shop-front"))
    assert set(exercise.measurements(never)["shop-front"].values()) == {None}


def test_the_page_tells_of_the_run_that_is_kept() -> None:
    """Of what is wrong with half an hour's requests it tells the end from another moment on."""
    row = r"^\|[^|]*\| (\w+)[^|]*\| (\d+) \| ([\d.]+) \| ([\d.]+|while it was mended)\b"
    told = sorted(re.findall(row, SEEN.read_text(encoding="utf-8"), re.MULTILINE))
    found = []
    for phase in PROVOKED:
        run = real("monitoring").phase(exercise.phase(phase))
        rules, seen = run.need("rules", "").data["rules"], delays(run)
        for name in EXPECTED[phase]:
            over = seen[f"{name}_over_s"]
            ended = "while it was mended" if over < 0 else str(over)
            if phase == "shop-errors":
                ended = next(end for alert, *_, end in told if alert == name)
            found.append((name, str(rules[name]["for"]), str(seen[f"{name}_told_s"]), ended))
    assert told == sorted(found)


def test_a_manager_is_known_by_its_role_and_not_by_its_name() -> None:
    def renamed(value: Any) -> Any:
        """The managers are called a1 to a3."""
        if isinstance(value, Mapping):
            return {key: renamed(each) for key, each in value.items()}
        if isinstance(value, list):
            return [renamed(each) for each in value]
        return re.sub(r"^manager(?=\d$)", "a", value) if isinstance(value, str) else value

    run = timed("monitoring/deployed", *deployed())
    other = Record(tuple(replace(e, data=renamed(e.data)) for e in run))
    found = {r.id.rsplit(".", 1)[1]: r.verdict for r in exercise.judge(other, "deployed")}
    assert found["all-watched"] is Verdict.PASS
