"""Every check of exercise 2.2 passes on a good run's record and fails on a broken one's."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.model import Event, Verdict
from tests.exercises.exercise_2_2.verify import exercise
from tests.unit.records.breaker import ANY_ORDER, NAMES_ALIKE
from tests.unit.records.editing import Edit, changed, in_vain, kind, last, none_of, without
from tests.unit.records.identities import certificate_taken
from tests.unit.records.judge import Broken, JudgeContract, break_alike
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


@functools.cache
def good(phase: str) -> Record:
    return record(GOOD[phase])


def instead(phase: str, **otherwise: Any) -> Edit:
    """A drill that went otherwise from its beginning."""
    return lambda _: record(replace(GOOD[phase], **otherwise))


NEVER = 500.0
"""Seconds: longer than any of these records."""

LATE = {"elected": 38.0, "unreachable": 38.2, "down": 70, "restored": 75, "heal": 80, "back": 90}


def late_election(*rounds: tuple[str, int]) -> Record:
    """A leader 38 s after the power went, and what the new leader's engine logged of votes."""
    run = record(replace(GOOD["power-off"], ends=100, **LATE))  # type: ignore[arg-type]
    votes = [
        replace(
            run.events[-1],
            kind="raft",
            phase="2.2/power-off",
            data={"node": "manager3", "what": what, "term": term},
        )
        for what, term in rounds
    ]
    return Record((*run.events, *votes))


def nobody_leads_at_last(run: Record) -> Record:
    """The last list of the nodes names no leader."""
    rows = [{**row, "leader": False} for row in run.last("nodes").data["nodes"]]  # type: ignore[union-attr]
    return last("nodes", nodes=rows)(run)


def silent_node(run: Record) -> Record:
    return changed(
        run,
        lambda e: e.kind == "request" and e.data["node"] == "worker1" and 45 < e.t < 53,
        status=None,
        error="timeout",
    )


def leadership_taken_back(run: Record) -> Record:
    tail = record(replace(GOOD["power-off"], elected=NEVER, fault="demote"))
    rows = next(e for e in tail if e.kind == "nodes" and "nodes" in e.data).data["nodes"]
    return changed(run, lambda e: e.kind == "nodes" and e.t > 128, nodes=rows)


def lost_in_the_middle(run: Record) -> Record:
    return changed(
        run, lambda e: e.kind == "request" and 41 < e.t < 41.2, status=None, error="refused"
    )


def seldom_sampled(run: Record) -> Record:
    return without(run, lambda e: e.kind == "nodes" and 42 < e.t < 48)


def one_not_asked(run: Record) -> Record:
    asked = kind("nodes", seen_from="manager2")
    return without(run, lambda e: asked(e) and e.t > 41)


def silent_after_the_fault(run: Record) -> Record:
    """The clients died with the leader, as clients do."""
    return without(run, lambda e: e.kind == "request" and e.data["sent"] > 41)


def nobody_ran_on_the_lost_node(run: Record) -> Record:
    """It had no replica: nothing of the service was lost."""
    return tasks_changed(run, lambda task: task["node"] != "manager1")


def one_is_on_another_dead_node(run: Record) -> Record:
    """The managers still list a task as running on a worker that is down as well."""
    first = next(e for e in run if e.kind == "nodes" and e.t > 41 + 49.8 and "nodes" in e.data)
    rows = [{**r, "state": "down"} if r["name"] == "worker1" else r for r in first.data["nodes"]]
    return changed(
        run, lambda e: e.kind == "nodes" and "nodes" in e.data and e.t > 41 + 45, nodes=rows
    )


def tasks_changed(run: Record, stays: Callable[[dict[str, Any]], bool]) -> Record:
    return Record(
        tuple(
            replace(e, data={**e.data, "tasks": [t for t in e.data["tasks"] if stays(t)]})
            if "tasks" in e.data
            else e
            for e in run
        )
    )


def follower_lost(run: Record) -> Record:
    """What was broken is not the leader."""
    return changed(run, lambda e: e.kind.startswith("fault."), nodes=["manager2"])


def answers_all_along(run: Record) -> Record:
    """Its engine was never away."""
    ping = next(event for event in run if event.kind == "ping")
    soon = replace(ping, t=46.0, data={**ping.data, "answers": True})
    return Record(tuple(sorted((*run, soon), key=lambda e: e.t)))


def seldom_asked(run: Record) -> Record:
    return without(run, lambda e: e.kind == "request" and e.seq % 4 != 0)


BROKEN: Broken = {
    ("power-off", "sampled"): [(seldom_sampled, "unknown"), (one_not_asked, "unknown")],
    ("graceful-stop", "sampled"): [(none_of("fault.injected"), "unknown")],
    ("kill-9", "sampled"): [(seldom_sampled, "unknown")],
    ("demotion", "sampled"): [(none_of("nodes"), "unknown")],
    ("power-off", "leader-elected"): [
        (lambda _: late_election(("candidate", 4), ("leader", 4)), "fail"),
        # What was voted on when the old leader came back excuses nothing.
        (lambda _: late_election(("candidate", 4), ("leader", 4), ("candidate", 5)), "fail"),
    ],
    ("graceful-stop", "leader-elected"): [
        (instead("graceful-stop", elected=1.0, unreachable=1.0), "fail")
    ],
    ("kill-9", "leader-elected"): [
        (instead("kill-9", elected=NEVER, unreachable=NEVER, down=NEVER, restored=NEVER), "fail")
    ],
    ("kill-9", "old-leader-unreachable"): [(instead("kill-9", unreachable=30.0), "fail")],
    ("kill-9", "service-answers"): [(seldom_asked, "unknown")],
    ("graceful-stop", "surviving-replicas-lose-nothing"): [
        (instead("graceful-stop", error_share=0.9), "fail")
    ],
    ("power-off", "old-leader-follows"): [(leadership_taken_back, "fail")],
    ("graceful-stop", "old-leader-follows"): [(instead("graceful-stop", heal=None), "unknown")],
    ("demotion", "leadership-handed-over"): [(instead("demotion", elected=12.0), "fail")],
    ("demotion", "nothing-lost"): [
        (lost_in_the_middle, "fail"),
        (silent_after_the_fault, "unknown"),
        (instead("demotion", elected=0.6, heal=0.5), "unknown"),
    ],
    ("demotion", "service-answers"): [(silent_after_the_fault, "unknown")],
    ("power-off", "service-answers"): [
        (silent_after_the_fault, "unknown"),
        (none_of("request", node="worker2"), "unknown"),
    ],
    ("power-off", "surviving-replicas-lose-nothing"): [(silent_after_the_fault, "unknown")],
    ("power-off", "replicas-restored"): [
        (nobody_ran_on_the_lost_node, "unknown"),
        (one_is_on_another_dead_node, "fail"),
    ],
}
for stopped in ("graceful-stop", "kill-9", "power-off"):
    for claim in ("leader-elected", "old-leader-unreachable", "node-down", "replicas-restored"):
        BROKEN.setdefault((stopped, claim), []).append((answers_all_along, "unknown"))
    for claim in ("leader-elected", "old-leader-unreachable", "node-down", "old-leader-follows"):
        BROKEN.setdefault((stopped, claim), []).append((follower_lost, "unknown"))
for stopped in ("graceful-stop", "kill-9", "power-off"):
    for claim, otherwise in {
        "old-leader-unreachable": {"unreachable": NEVER},
        "node-down": {"down": NEVER},
        "replicas-restored": {"restored": NEVER, "heal": 100.0, "back": 110.0, "ends": 120.0},
    }.items():
        BROKEN.setdefault((stopped, claim), []).append((instead(stopped, **otherwise), "fail"))
    BROKEN.setdefault((stopped, "old-leader-follows"), []).extend(
        [
            (in_vain(instead(stopped, back=NEVER)), "fail"),
            (instead(stopped, back=NEVER), "unknown"),
            (in_vain(nobody_leads_at_last), "fail"),
            (nobody_leads_at_last, "unknown"),
        ]
    )
break_alike(
    BROKEN,
    exercise,
    {
        "service-answers": silent_node,
        "surviving-replicas-lose-nothing": silent_node,
        "identities-kept": certificate_taken,
    },
)


OUTCOME = "its outcome was seen by then"
WHO = "of the nodes it reads who was there before the fault"
ONE_SHOWS = "one manager's answer shows it; that each was asked is the claim `sampled`"
STILL_PASSES = {
    ("2.2.*.*", "ping: *"): "the managers' lists show it as well",
    ("2.2.*.s[eu]*", "nodes: [amnt]* ?*"): WHO,
    ("2.2.*.surviving-replicas-lose-nothing", "tasks: *"): "of tasks it reads what excuses errors",
    ("2.2.*.replicas-restored", "nodes: [an]* ?*"): ONE_SHOWS,
    ("2.2.*.replicas-restored", "tasks: none ?*"): ONE_SHOWS,
    ("2.2.demotion.leadership-handed-over", "cut *"): OUTCOME,
    ("2.2.demotion.leadership-handed-over", "nodes: none ?*"): OUTCOME,
    ("2.2.demotion.nothing-lost", "nodes: [mn]* ?*"): ONE_SHOWS,
    ("2.2.demotion.sampled", "nodes: moments shuffled"): ANY_ORDER,
    ("2.2.demotion.*", "request: nodes exchanged"): NAMES_ALIKE,
}


class TestJudge(JudgeContract):
    exercise = exercise
    phases = GOOD
    good = staticmethod(good)
    broken = BROKEN


def test_a_second_round_of_votes_excuses_a_late_election() -> None:

    def voted(*rounds: tuple[str, int]) -> Verdict:
        return verdicts(late_election(*rounds), "power-off")["leader-elected"]

    assert voted(("candidate", 3), ("candidate", 4), ("leader", 4)) is Verdict.PASS
    # Swarm may split as many votes as it likes; that is no failover in time, and no fault.
    rounds = [("candidate", term) for term in (3, 4, 5)]
    assert voted(*rounds, ("leader", 5)) is Verdict.UNKNOWN
    assert voted() is Verdict.UNKNOWN


def test_the_leader_that_was_elected_is_told_not_the_one_that_leads_in_the_end() -> None:
    run = record(GOOD["power-off"])
    later = {"nodes": next(e for e in run if e.kind == "nodes" and e.t > 60).data["nodes"]}
    rows = [{**row, "leader": row["name"] == "manager2"} for row in later["nodes"]]
    turned = changed(run, lambda e: e.kind == "nodes" and e.t > 110, nodes=rows)
    (told,) = (
        r.observed for r in exercise.judge(turned, "power-off") if r.id.endswith("leader-elected")
    )
    assert told.startswith("manager3 leads 12.")


def test_errors_up_to_the_lost_replicas_share_are_no_loss_of_a_surviving_one() -> None:
    run = record(GOOD["power-off"])
    through = [e.seq for e in run if e.kind == "request" and e.data["node"] == "worker1"]
    first = next(i for i, seq in enumerate(through) if run.events[seq].data["sent"] > 41.1)
    every_fifth = set(through[first : first + 16 : 5])
    hit = changed(run, lambda e: e.seq in every_fifth, status=None, error="timeout")
    assert verdicts(hit, "power-off")["surviving-replicas-lose-nothing"] is Verdict.PASS
    one_more = {*every_fifth, through[first + 1]}
    again = changed(run, lambda e: e.seq in one_more, status=None, error="timeout")
    assert verdicts(again, "power-off")["surviving-replicas-lose-nothing"] is Verdict.PASS, (
        "IPVS sends a client's port that is used again to the replica that it had"
    )
    two_more = {*one_more, through[first + 2]}
    lost = changed(run, lambda e: e.seq in two_more, status=None, error="timeout")
    assert verdicts(lost, "power-off")["surviving-replicas-lose-nothing"] is Verdict.FAIL


def all_on(lost: int) -> Edit:
    """So many of its five tasks run on the lost node until it is lost."""

    def moved(event: Event) -> Event:
        if event.t >= 41 or "tasks" not in event.data:
            return event
        rows = sorted(event.data["tasks"], key=lambda task: task["node"] != "manager1")
        rows = [{**row, "node": "manager1"} if n < lost else row for n, row in enumerate(rows)]
        return replace(event, data={**event.data, "tasks": rows})

    return lambda run: Record(tuple(moved(event) for event in run))


def test_where_several_replicas_are_lost_each_has_its_share() -> None:
    run = record(GOOD["power-off"])
    through = [e.seq for e in run if e.kind == "request" and e.data["node"] == "worker1"]
    first = next(i for i, seq in enumerate(through) if run.events[seq].data["sent"] > 41.1)
    two_of_five = {seq for n, seq in enumerate(through[first : first + 20]) if n % 5 in (0, 2)}
    check = "surviving-replicas-lose-nothing"

    def judged(hit: set[int], lost: int) -> Verdict:
        errors = changed(run, lambda e: e.seq in hit, status=None, error="timeout")
        return verdicts(all_on(lost)(errors), "power-off")[check]

    assert judged(two_of_five, lost=1) is Verdict.FAIL
    assert judged(two_of_five, lost=2) is Verdict.PASS
    beyond = {through[first + 1], through[first + 3]}
    assert judged({*two_of_five, *beyond}, lost=2) is Verdict.FAIL
    # Nothing is shown of survivors where there are none.
    assert judged(set(), lost=5) is Verdict.UNKNOWN


def test_a_replacement_that_starts_for_long_may_refuse_one_request_until_it_runs() -> None:
    run = record(GOOD["power-off"])
    before = {task["container"] for e in run.of("tasks")[:1] for task in e.data.get("tasks", ())}
    restored = next(
        e.t
        for e in run.of("tasks")
        for task in e.data.get("tasks", ())
        if task["container"] and task["container"] not in before
    )

    def starting(event: Event) -> Event:
        """Its container is at work as before, but runs only 12 s later."""
        if "tasks" not in event.data or not restored <= event.t < restored + 12:
            return event
        tasks = [
            {**task, "state": "starting"} if task["container"] not in before else task
            for task in event.data["tasks"]
        ]
        return replace(event, data={**event.data, "tasks": tasks})

    slow = Record(tuple(starting(event) for event in run))

    def refused(after: float) -> Record:
        one = next(e.seq for e in slow if e.kind == "request" and e.data["sent"] > restored + after)
        return changed(slow, lambda e: e.seq == one, status=None, error="refused")

    check = "surviving-replicas-lose-nothing"
    assert verdicts(refused(8), "power-off")[check] is Verdict.PASS
    assert verdicts(refused(20), "power-off")[check] is Verdict.FAIL


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


def with_meshes(run: Record, *without_way: str) -> Record:
    """Each surviving machine's part in the mesh, read after the election; some lack a way."""
    machines = {"manager2": 2, "manager3": 3, "worker1": 4, "worker2": 5}
    replicas = {name: f"10.0.0.{n}1" for name, n in machines.items()}

    def part(name: str) -> dict[str, Any]:
        others = [other for other in machines if other != name]
        ways = {f"10.0.0.{machines[other]}": other for other in others}
        if name not in without_way:
            ways |= {replicas[other]: other for other in others}
        return {
            "node": name,
            "address": f"10.0.0.{machines[name]}",
            "here": [replicas[name]],
            "balanced": list(replicas.values()),
            "ways": [{"address": at, "via": via} for at, via in ways.items()],
        }

    at = next(e for e in run if e.kind == "request" and e.data["sent"] > 51)
    told = [replace(at, kind="mesh", data=part(name)) for name in machines]
    return Record((*run.events, *told))


def every_other_through(node: str) -> Record:
    """From the fault on, every other request through that node fails, for half a minute."""
    run = record(GOOD["power-off"])
    through = [e for e in run if e.kind == "request" and e.data["node"] == node]
    hit = {e.seq for e in [e for e in through if 46 < e.data["sent"] < 76][::2]}
    return changed(run, lambda e: e.seq in hit, status=None, error="timeout")


def test_a_machine_without_a_way_to_a_surviving_replica_is_a_finding_about_swarm() -> None:
    def judged(run: Record) -> tuple[Verdict, str]:
        check = "2.2.power-off.surviving-replicas-lose-nothing"
        (found,) = (r for r in exercise.judge(run, "power-off") if r.id == check)
        assert ("had no way" in found.observed) == bool(found.finding)
        return found.verdict, found.finding

    lossy = every_other_through("worker1")
    assert judged(with_meshes(lossy, "worker1")) == (Verdict.FAIL, "lost-way")
    assert judged(with_meshes(lossy)) == (Verdict.FAIL, "")
    assert judged(with_meshes(lossy, "worker2")) == (Verdict.FAIL, "")
    assert judged(lossy) == (Verdict.FAIL, ""), "nobody looked"
    good_run = record(GOOD["power-off"])
    assert judged(with_meshes(good_run, "worker1")) == (Verdict.PASS, "")
    through_two = changed(
        lossy,
        lambda e: e.kind == "request" and e.data["node"] == "worker2" and 60 < e.data["sent"] < 61,
        status=None,
        error="timeout",
    )
    assert judged(with_meshes(through_two, "worker1")) == (Verdict.FAIL, "")


def test_two_replacements_that_start_at_once_excuse_no_error_of_another_time() -> None:
    run = record(GOOD["power-off"])
    before = {task["container"] for e in run.of("tasks")[:1] for task in e.data.get("tasks", ())}

    def twice(event: Event) -> Event:
        """A second container starts beside each that is new."""
        rows = event.data.get("tasks", ())
        more = [
            {**row, "id": f"{row['id']}-2", "container": f"{row['container']}-2"}
            for row in rows
            if row["container"] not in before
        ]
        return replace(event, data={**event.data, "tasks": [*rows, *more]}) if more else event

    several = Record(tuple(twice(event) for event in run))
    restored = 41 + GOOD["power-off"].restored
    check = "surviving-replicas-lose-nothing"

    def refused(*after: float) -> Verdict:
        hit = {
            next(e.seq for e in several if e.kind == "request" and e.data["sent"] > restored + t)
            for t in after
        }
        errors = changed(several, lambda e: e.seq in hit, status=None, error="refused")
        return verdicts(errors, "power-off")[check]

    assert refused(0.1) is Verdict.PASS
    assert refused(0.1, 10) is Verdict.FAIL
