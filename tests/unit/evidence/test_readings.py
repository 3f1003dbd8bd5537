"""The instants of a failover, read off small records whose answers are known."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.model import Event
from tests.unit.records.synthetic import THREE_DRILLS, Drill, record


def row(name: str, **data: Any) -> dict[str, Any]:
    about = {"id": name, "name": name, "role": "manager", "state": "ready", "leader": False}
    return {**about, "reachability": "reachable", **data}


def nodes(
    t: float, leader: str | None, *, by: str = "m2", seconds: float = 0.1, **state: str
) -> Event:
    names = ("m1", "m2", "m3")
    rows = [row(n, leader=n == leader, state=state.get(n, "ready")) for n in names]
    return event(t, "nodes", seen_from=by, seconds=seconds, nodes=rows)


def event(t: float, kind: str, **data: Any) -> Event:
    return Event(0, t, "", kind, "p", data)


def request(sent: float, *, ok: bool = True, node: str = "w1", seconds: float = 0.0) -> Event:
    answer = {"status": 200, "error": None} if ok else {"status": None, "error": "refused"}
    return event(sent + seconds, "request", node=node, sent=sent, seconds=seconds, **answer)


def of(*events: Event) -> Record:
    return Record(tuple(sorted(events, key=lambda e: e.t)))


FAULT = event(12.0, "fault.injected", fault="stop-engine", nodes=["m1"], seconds=2.0)


def test_time_zero_is_when_the_fault_began_not_when_it_was_done() -> None:
    assert readings.fault_at(of(FAULT)) == 10.0


def test_a_healing_belongs_to_the_fault_of_that_node() -> None:
    other = event(13.0, "fault.injected", fault="stop-engine", nodes=["m2"], seconds=1.0)
    healed = event(30.0, "fault.healed", fault="stop-engine", nodes=["m2"], seconds=4.0)
    first, second = readings.faults(of(FAULT, other, healed))
    assert (first.healed, second.heal_began, second.healed) == (None, 26.0, 30.0)


@pytest.mark.parametrize("drill", THREE_DRILLS, ids=lambda d: d.fault)
def test_a_failover_is_measured_within_one_sample(drill: Drill) -> None:
    found = readings.failover_measurements(record(drill).phase(drill.phase), wanted=5)
    for name, true in {
        "leader_elected_s": drill.elected,
        "leader_unreachable_s": drill.unreachable,
        "node_down_s": drill.down,
        "node_back_s": drill.back,
        "replicas_restored_s": drill.restored,
    }.items():
        assert true <= found[name] <= true + 0.25, name  # type: ignore[operator]
    assert found["probes"] > 1000  # type: ignore[operator]
    assert found["probe_errors"] > 0  # type: ignore[operator]


def test_what_was_not_seen_is_none_never_zero() -> None:
    found = readings.failover_measurements(of(), wanted=5)
    assert found.pop("probes") == 0
    assert found.pop("probe_errors") == 0
    assert found.pop("longest_gap_by_node_s") == {}
    assert set(found.values()) == {None}


def test_no_election_is_none() -> None:
    assert readings.leader_elected_s(of(nodes(9, "m1"), FAULT, nodes(20, "m1"))) is None


def test_without_a_leader_before_the_fault_an_election_cannot_be_told() -> None:
    assert readings.leader_elected_s(of(FAULT, nodes(20, "m2"))) is None


def test_the_lost_node_itself_is_not_believed() -> None:
    lost = nodes(15, "m3", by="m1")
    assert readings.leader_elected_s(of(nodes(9, "m1"), FAULT, lost)) is None
    seen = of(nodes(9, "m1"), FAULT, lost, nodes(20, "m2", by="m3"))
    assert readings.leader_elected_s(seen) == 10.0


def test_an_answer_asked_for_before_the_fault_shows_nothing_of_it() -> None:
    late = nodes(11, "m2", seconds=5.0)
    assert readings.leader_elected_s(of(nodes(9, "m1"), FAULT, late)) is None


def test_a_late_answer_is_no_change_back() -> None:
    seen = of(
        nodes(9, "m1"), nodes(20, "m2"), nodes(20.05, "m1", seconds=3.0, by="m3"), nodes(20.4, "m2")
    )
    assert [(c.name, c.previous) for c in readings.leader_changes(seen)] == [
        ("m1", None),
        ("m2", "m1"),
    ]


def test_reigns_and_the_gap_between_them() -> None:
    seen = of(nodes(9, "m1"), nodes(9.5, "m1"), nodes(20, "m2"), nodes(20.5, "m2"))
    assert [(s.began, s.ended, s.value) for s in readings.leader_spans(seen)] == [
        (9, 9.5, "m1"),
        (9.5, 20, ""),
        (20, 20.5, "m2"),
    ]


def test_a_reign_is_not_carried_over_a_time_when_nobody_could_name_it() -> None:
    seen = of(nodes(9, "m1"), nodes(9.5, "m1"), nodes(20, "m1"), nodes(20.5, "m1"))
    assert [s.value for s in readings.leader_spans(seen)] == ["m1", "", "m1"]


def test_a_state_is_not_carried_over_a_time_without_answers() -> None:
    seen = of(
        nodes(1, "m1"), nodes(1.2, "m1"), nodes(9, "m2", m1="unknown"), nodes(9.2, "m2", m1="down")
    )
    assert [(s.value, s.began) for s in readings.node_spans(seen, "m1")] == [
        ("ready", 1),
        ("", 1.2),
        ("unknown", 9),
        ("down", 9.2),
    ]
    assert readings.node_state_at(seen, "m1", 5) == "ready"
    assert readings.node_state_at(seen, "m1", 0.5) is None


def test_a_machine_that_rejoined_counts_by_its_live_row() -> None:
    rows = [row("m1", state="down"), row("m1", state="ready")]
    (sample,) = readings.node_samples(of(event(1, "nodes", seen_from="m2", nodes=rows)))
    seen = sample.node("m1")
    assert seen is not None
    assert seen.state == "ready"


def tasks(t: float, *where: str, desired: str = "running") -> Event:
    found = [{"node": n, "state": "running", "desired": desired, "slot": 1} for n in where]
    return event(t, "tasks", seen_from="m2", service="s", seconds=0.1, tasks=found)


def test_tasks_on_the_lost_node_do_not_count_whatever_the_managers_say() -> None:
    seen = of(tasks(9, "m1", "w1"), FAULT, tasks(15, "m1", "w1"), tasks(40, "w1", "w2"))
    assert [c.running for c in readings.replicas_over_time(seen)] == [2, 1, 2]
    assert readings.replicas_restored_s(seen, 2) == 30.0


def test_tasks_on_their_way_out_do_not_count() -> None:
    seen = of(FAULT, tasks(15, "w1", "w2", desired="shutdown"))
    assert readings.replicas_restored_s(seen, 2) is None


def test_after_a_demotion_the_nodes_tasks_go_on_counting() -> None:
    demoted = event(12, "fault.injected", fault="demote", nodes=["m1"], seconds=1)
    assert readings.replicas_restored_s(of(demoted, tasks(15, "m1", "w1")), 2) == 4.0


def test_the_longest_gap_lies_between_two_answers() -> None:
    seen = of(request(1), request(2, ok=False), request(6), request(7))
    gap = readings.longest_gap(seen)
    assert gap is not None
    assert (gap.began, gap.ended, gap.closed) == (1, 6, True)


def test_a_service_that_never_comes_back_does_not_look_well() -> None:
    gap = readings.longest_gap(of(request(1), request(1.1), request(30, ok=False)))
    assert gap is not None
    assert (gap.seconds, gap.closed) == (28.9, False)
    assert readings.longest_gap_s(of(request(1, ok=False), request(5, ok=False))) == 4.0


def test_one_nodes_gap_is_not_hidden_by_the_others() -> None:
    seen = of(
        *(request(t, node="w1") for t in range(10)), request(0, node="w2"), request(9, node="w2")
    )
    assert readings.longest_gap_s(seen) == 1.0
    assert {n: g.seconds for n, g in readings.longest_gap_by_node(seen).items()} == {
        "w1": 1.0,
        "w2": 9.0,
    }


@pytest.mark.parametrize(("status", "ok"), [(200, True), (302, True), (404, False), (503, False)])
def test_a_status_from_400_is_an_error(status: int, ok: bool) -> None:
    asked = event(1, "request", node="w1", sent=1, seconds=0, status=status, error=None)
    assert (readings.request_errors(of(asked)) == []) is ok


def test_forged_values_do_not_crash_a_reading() -> None:
    forged = of(
        event(
            1, "nodes", seen_from=None, seconds="x", nodes=["no row", {"name": 3, "leader": "yes"}]
        ),
        event(2, "tasks", service=None, tasks=None),
        event(3, "request", sent=float("nan"), status="200", seconds=None),
        event(4, "fault.injected", fault=7, nodes="m1", seconds=None),
        event(5, "fault.healed", nodes=None),
    )
    assert readings.failover_measurements(forged, wanted=1)["probe_errors"] == 1
    assert readings.leader_changes(forged) == []


def test_a_node_is_who_its_id_says_under_whatever_name_it_is_listed() -> None:
    """As seen once: manager3's id is under worker2's name, whose own row is down."""
    well = [row("m1", leader=True), row("m3"), row("w2")]
    confused = [row("m1", leader=True), {**row("m3"), "name": "w2"}, row("w2", state="down")]
    record = of(
        *(event(t, "nodes", seen_from="m1", seconds=0.1, nodes=well) for t in (1.0, 1.5)),
        *(event(t, "nodes", seen_from="m1", seconds=0.1, nodes=confused) for t in (2.0, 2.5)),
    )
    assert readings.identities_of(record, "w2") == {"w2"}
    assert readings.identities_of(record, "m3") == {"m3"}
    assert readings.node_state_at(record, "w2", 3) == "down"
    assert readings.node_state_at(record, "m3", 3) == "ready"
    assert [s.value for s in readings.node_spans(record, "w2")] == ["ready", "down"]
    lost = of(*record.events, event(1.9, "fault.injected", fault="f", nodes=["w2"], seconds=0.1))
    assert readings.node_down_s(lost) == 0.2


@pytest.mark.parametrize("number", [10**400, float("inf"), float("nan"), True, "2", None])
def test_what_no_float_holds_is_no_measured_time(number: object) -> None:
    data = {"node": "manager1", "sent": number, "seconds": number, "status": 200}
    (request,) = readings.requests(Record((Event(0, 5.0, "", "request", "", data),)))
    assert (request.sent, request.seconds) == (5.0, 0.0)
