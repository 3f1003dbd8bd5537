"""Every check of exercise 2.2 passes on a good run's record and fails on a broken one's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.model import Verdict
from tests.exercises.exercise_2_2.verify import exercise
from tests.unit.records.editing import changed, without
from tests.unit.records.synthetic import Drill, record

GOOD = {
    "graceful-stop": Drill("2.2/graceful-stop", "stop-engine", error_share=0),
    "kill-9": Drill("2.2/kill-9", "kill-engine", error_share=0),
    "power-off": Drill("2.2/power-off", "power-off", error_share=0, back=80, ends=90),
    "demotion": Drill("2.2/demotion", "demote", error_share=0, elected=0.6, heal=10, ends=20),
}


def verdicts(run: Record, phase: str) -> dict[str, Verdict]:
    """Check name → verdict."""
    return {r.id.rsplit(".", 1)[1]: r.verdict for r in exercise.judge(run, phase)}


@pytest.mark.parametrize("phase", GOOD)
def test_a_good_run_passes_every_check(phase: str) -> None:
    results = exercise.judge(record(GOOD[phase]), phase)
    assert {r.id: r.observed for r in results if r.verdict is not Verdict.PASS} == {}


def late_election() -> Record:
    return record(replace(GOOD["power-off"], elected=38.0, unreachable=38.2, down=70, restored=75))


def silent_node() -> Record:
    run = record(GOOD["power-off"])
    return changed(
        run,
        lambda e: e.kind == "request" and e.data["node"] == "worker1" and 45 < e.t < 53,
        status=None,
        error="timeout",
    )


def leadership_taken_back() -> Record:
    run = record(GOOD["power-off"])
    tail = record(replace(GOOD["power-off"], elected=500.0, fault="demote"))
    rows = next(e for e in tail if e.kind == "nodes" and "nodes" in e.data).data["nodes"]
    return changed(run, lambda e: e.kind == "nodes" and e.t > 128, nodes=rows)


def lost_in_the_middle() -> Record:
    run = record(GOOD["demotion"])
    return changed(
        run, lambda e: e.kind == "request" and 41 < e.t < 41.2, status=None, error="refused"
    )


BROKEN = {
    ("power-off", "sampled", "unknown"): lambda: without(
        record(GOOD["power-off"]), lambda e: e.kind == "nodes" and 42 < e.t < 48
    ),
    ("graceful-stop", "sampled", "unknown"): lambda: without(
        record(GOOD["graceful-stop"]), lambda e: e.kind == "fault.injected"
    ),
    ("power-off", "leader-elected", "fail"): late_election,
    ("graceful-stop", "leader-elected", "fail"): lambda: record(
        replace(GOOD["graceful-stop"], elected=1.0, unreachable=1.0)
    ),
    ("kill-9", "leader-elected", "fail"): lambda: record(
        replace(GOOD["kill-9"], elected=500.0, unreachable=500.0, down=500.0, restored=500.0)
    ),
    ("kill-9", "old-leader-unreachable", "fail"): lambda: record(
        replace(GOOD["kill-9"], unreachable=30.0)
    ),
    ("kill-9", "node-down", "fail"): lambda: record(replace(GOOD["kill-9"], down=500.0)),
    ("kill-9", "replicas-restored", "fail"): lambda: record(
        replace(GOOD["kill-9"], restored=500.0)
    ),
    ("power-off", "service-answers", "fail"): silent_node,
    ("kill-9", "service-answers", "unknown"): lambda: without(
        record(GOOD["kill-9"]), lambda e: e.kind == "request" and e.seq % 4 != 0
    ),
    ("power-off", "surviving-replicas-lose-nothing", "fail"): silent_node,
    ("graceful-stop", "surviving-replicas-lose-nothing", "fail"): lambda: record(
        replace(GOOD["graceful-stop"], error_share=0.9)
    ),
    ("power-off", "old-leader-follows", "fail"): leadership_taken_back,
    ("graceful-stop", "old-leader-follows", "unknown"): lambda: record(
        replace(GOOD["graceful-stop"], heal=None)
    ),
    ("demotion", "leadership-handed-over", "fail"): lambda: record(
        replace(GOOD["demotion"], elected=12.0)
    ),
    ("demotion", "nothing-lost", "fail"): lost_in_the_middle,
}


@pytest.mark.parametrize("case", BROKEN, ids=".".join)
def test_a_broken_run_does_not_pass(case: tuple[str, str, str]) -> None:
    phase, check, verdict = case
    assert verdicts(BROKEN[case](), phase)[check] == verdict


def test_no_check_is_without_a_run_that_it_refuses() -> None:
    declared = {check.id.rsplit(".", 1)[1] for check in exercise.checks}
    assert declared == {check for _, check, _ in BROKEN}


def test_a_second_round_of_votes_excuses_a_late_election() -> None:
    run = late_election()
    votes = [
        replace(run.events[0], kind="raft", phase="2.2/power-off", data={"what": what, "term": n})
        for what, n in (("candidate", 3), ("candidate", 4), ("leader", 4))
    ]
    judged = verdicts(Record((*run.events, *votes)), "power-off")
    assert judged["leader-elected"] is Verdict.PASS


def test_errors_up_to_the_lost_replicas_share_are_no_loss_of_a_surviving_one() -> None:
    run = record(GOOD["power-off"])
    through = [e.seq for e in run if e.kind == "request" and e.data["node"] == "worker1"]
    first = next(i for i, seq in enumerate(through) if run.events[seq].data["sent"] > 41.1)
    every_fifth = set(through[first : first + 16 : 5])
    hit = changed(run, lambda e: e.seq in every_fifth, status=None, error="timeout")
    assert verdicts(hit, "power-off")["surviving-replicas-lose-nothing"] is Verdict.PASS
    one_more = {*every_fifth, through[first + 1]}
    lost = changed(run, lambda e: e.seq in one_more, status=None, error="timeout")
    assert verdicts(lost, "power-off")["surviving-replicas-lose-nothing"] is Verdict.FAIL


def test_a_replacement_may_refuse_one_request_while_it_starts_but_not_later() -> None:
    run = record(GOOD["power-off"])
    requests = [e for e in run if e.kind == "request"]
    restored = 41 + GOOD["power-off"].restored

    def refused(after: float) -> Record:
        one = next(e.seq for e in requests if e.data["sent"] > restored + after)
        return changed(run, lambda e: e.seq == one, status=None, error="refused")

    check = "surviving-replicas-lose-nothing"
    assert verdicts(refused(0.1), "power-off")[check] is Verdict.PASS
    assert verdicts(refused(10), "power-off")[check] is Verdict.FAIL
