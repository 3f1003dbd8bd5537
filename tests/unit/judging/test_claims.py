"""The vocabulary of claims says what nobody looked at, and when."""

from __future__ import annotations

import math
from typing import Any

import pytest

from pytest_swarmlab.errors import Unseen
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.readings import Entry, Request
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging import claims
from pytest_swarmlab.judging.claims import Window, judged
from pytest_swarmlab.model import Verdict
from tests.unit.records.editing import changed, events, kind, without

TEN = Window(0.0, 10.0)


def request(sent: float, node: str = "worker1") -> Request:
    return Request(sent, 0.01, node, 200, None, f"http://{node}:8080/", 8080)


def entry(sent: float, seconds: float = 0.1) -> Entry:
    return Entry(1, sent, seconds, "1", None, "rows")


def listing(by: str, leader: str = "manager1", **states: str) -> tuple[str, Any]:
    rows = [
        {"id": f"id-{name}", "name": name, "leader": name == leader, "reachability": "reachable",
         "state": states.get(name, "ready")}
        for name in ("manager1", "manager2")
    ]  # fmt: skip
    return "nodes", {"seen_from": by, "seconds": 0.0, "nodes": rows}


def test_what_is_wrong_outweighs_what_is_missing_and_both_are_told() -> None:
    assert judged("3 of 3").verdict is Verdict.PASS
    assert judged("3 of 3", missing=["nobody asked worker1"]).verdict is Verdict.UNKNOWN
    worst = judged("2 of 3", wrong=["one failed"], missing=["nobody asked worker1"])
    assert (worst.verdict, worst.observed) == (Verdict.FAIL, "2 of 3; one failed")
    assert judged("2 of 3", holds=False, missing=["x"]).verdict is Verdict.FAIL


def test_clients_that_asked_all_along_through_every_node_have_covered_a_window() -> None:
    asked = [request(t / 2, node) for t in range(21) for node in ("worker1", "worker2")]
    through = ["worker1", "worker2"]
    assert claims.not_asked(asked, through=through, window=TEN, rate=4.0) == []
    assert claims.not_asked(asked, through=through, window=TEN, rate=5.0) == [
        "only 4.2 requests a second were sent from second 0.0 to 10.0 of the run"
    ]


@pytest.mark.parametrize(
    ("left", "told"),
    [
        (lambda r: r.sent < 4, "through worker1 from second 3.5 to 10.0"),
        (lambda r: r.sent > 4, "through worker1 from second 0.0 to 4.5"),
        (lambda r: not 4 < r.sent < 6, "through worker1 from second 4.0 to 6.0"),
        (lambda _: False, "through worker1 from second 0.0 to 10.0"),
    ],
)
def test_a_client_that_pauses_has_not_asked_in_that_time(left: Any, told: str) -> None:
    asked = [request(t / 2) for t in range(21)]
    (lack,) = claims.not_asked([r for r in asked if left(r)], through=["worker1"], window=TEN)
    assert lack == f"nobody asked {told} of the run"


def test_a_node_that_nobody_came_through_was_not_asked_whoever_asked_others() -> None:
    asked = [request(t / 2) for t in range(21)]
    lacks = claims.not_asked(asked, through=["worker1", "worker2"], window=TEN)
    assert [lack.split(" from ")[0] for lack in lacks] == ["nobody asked through worker2"]
    assert claims.not_asked(asked, through=[], window=TEN) != []


def test_a_window_in_which_nobody_asked_at_all_is_not_covered_however_short() -> None:
    short = Window(3.1, 3.4)
    asked = [request(t / 2) for t in range(21)]
    assert claims.not_asked(asked, through=["worker1"], window=short) != []
    assert claims.not_written([entry(2.0), entry(5.0)], window=short, pause=1.0) != []


def test_what_never_came_is_wrong_only_where_somebody_looked_for_it() -> None:
    assert claims.never("no leader").verdict is Verdict.FAIL
    assert claims.never("no leader", ["nobody asked"]).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("outcome", "awaited"),
    [("timeout", True), ("fatal", True), ("interrupted", False), ("done", False)],
)
def test_only_a_wait_that_was_in_vain_shows_that_an_outcome_did_not_come(
    outcome: str, awaited: bool
) -> None:
    waited = {"condition": "it runs", "node": None, "elapsed": 9.0, "last": "", "outcome": outcome}
    record = events("2.4/x", ("activated", {}), ("wait", waited))
    assert (claims.not_awaited(record, 0.5) == []) is awaited
    assert claims.not_awaited(record, 1.5) != [], "what was waited for before is something else"


def test_what_was_looked_at_too_early_need_not_hold_yet() -> None:
    early = ["the list came before the joins"]
    assert judged("2 of 3", holds=False).verdict is Verdict.FAIL
    assert judged("2 of 3", holds=False, early=early).verdict is Verdict.UNKNOWN
    assert judged("3 of 3", early=early).verdict is Verdict.UNKNOWN
    assert judged("2 of 3", wrong=["another id"], early=early).verdict is Verdict.FAIL


def test_a_window_without_an_end_can_not_be_covered() -> None:
    asked = [request(t / 2) for t in range(21)]
    (lack,) = claims.not_asked(asked, through=["worker1"], window=Window(0.0, math.inf))
    assert lack == "nobody asked through worker1 from second 10.0 of the run on"


def test_each_manager_must_have_been_asked_all_along() -> None:
    rows = [listing(by) for t in range(10) for by in ("manager1", "manager2")]
    record = events("2.2/x", *rows)
    samples = readings.node_samples(record)
    window = Window(0.0, 19.0)
    both = {"manager1", "manager2"}
    assert claims.not_sampled(samples, by=both, window=window, pause=2.0) == []
    assert len(claims.not_sampled(samples, by=both, window=window, pause=1.0)) == 2
    one = [sample for sample in samples if sample.seen_from == "manager1"]
    assert claims.not_sampled(one, by=both, window=window, pause=2.0) == [
        "nobody asked manager2 from second 0.0 to 19.0 of the run"
    ]
    assert claims.not_sampled(samples, by=[], window=window) != []


def test_a_write_that_waits_is_under_way_and_a_ledger_that_stopped_is_not() -> None:
    waiting = [entry(0.0), entry(0.3, 6.0), entry(6.5), entry(9.8)]
    assert claims.not_written(waiting, window=TEN, pause=4.0) == []
    assert claims.not_written(waiting, window=TEN, pause=3.0) == [
        "nothing was written from second 6.6 to 9.8 of the run"
    ]
    assert claims.not_written(waiting[:2], window=TEN, pause=3.0) == [
        "nothing was written from second 6.3 to 10.0 of the run"
    ]
    assert claims.not_written([], window=TEN, pause=3.0) == [
        "nothing was written from second 0.0 to 10.0 of the run"
    ]


def test_each_is_each_and_none_at_all_is_not_each() -> None:
    assert claims.not_each(["a", "b", "c"], ["a", "b"], "asked") == []
    assert claims.not_each(["a"], ["b", "a", "c"], "asked") == ["nobody asked b, c"]
    assert claims.not_each(["a"], [], "asked") != []


def test_something_must_have_been_tried_while_it_was_on() -> None:
    tried = "tried a change"
    assert claims.not_while([5.0], TEN, tried) == []
    assert claims.not_while([11.0], TEN, tried) == [
        "nobody tried a change from second 0.0 to 10.0 of the run"
    ]


def test_what_follows_must_have_been_seen_later() -> None:
    assert claims.out_of_order(("a write", 1.0), ("the mending", 2.0), ("a reading", 3.0)) == []
    assert claims.out_of_order(("the mending", 2.0), ("a reading", 1.0)) == [
        "a reading (second 1.0 of the run) does not follow the mending (second 2.0)"
    ]
    assert claims.out_of_order(("the mending", None), ("a reading", 1.0)) == [
        "nobody saw the mending"
    ]


def test_the_clusters_nodes_are_told_by_its_record_or_nobody_knows_them() -> None:
    record = events("2.2/x", ("note", {}))
    assert claims.nodes_of(record)[0] == "manager1"
    outside = changed(
        record,
        kind("cluster.ready"),
        nodes=[{"name": "a", "membership": "manager"}, {"name": "b", "membership": "outside"}],
    )
    assert (claims.nodes_of(outside), claims.members_of(outside)) == (["a", "b"], ["a"])
    for broken in (
        without(record, kind("cluster.ready")),
        changed(record, kind("cluster.ready"), nodes=[]),
    ):
        with pytest.raises(Unseen, match="nodes were not recorded"):
            claims.nodes_of(broken)


def test_a_list_that_shares_no_node_with_the_first_is_of_another_cluster() -> None:
    record = events("2.2/x", listing("manager1"), listing("manager2"))
    assert claims.another_cluster(readings.node_samples(record)) == []
    other = changed(record, kind("nodes", seen_from="manager2"), nodes=[{"id": "z", "name": "a"}])
    assert claims.another_cluster(readings.node_samples(other)) == [
        "manager2's list of second 1.0 is of another cluster"
    ]
    assert claims.another_cluster([]) == ["no manager listed the nodes"]


def test_a_task_on_a_node_that_nobody_listed_is_of_another_cluster() -> None:
    task = {"id": "t1", "node": "manager1", "state": "running", "desired": "running"}
    for id_, told in (("id-manager1", 0), ("id-of-another", 1), ("", 1)):
        row = "tasks", {"seen_from": "manager1", "tasks": [{**task, "node_id": id_}]}
        record = events("2.2/x", listing("manager1"), row)
        lists, tasks = readings.node_samples(record), readings.task_samples(record)
        assert len(claims.on_no_node(tasks, lists)) == told


def broken(*rows: tuple[str, Any], node: str = "manager1") -> Record:
    fault = {"fault": "power-off", "nodes": [node], "seconds": 0.5}
    return events("2.2/x", listing("manager2"), ("fault.injected", fault), *rows)


def test_the_fault_must_have_held_the_leader() -> None:
    for node, told in (
        ("manager1", []),
        ("manager2", ["manager1 led, and the fault hit manager2"]),
    ):
        run = broken(node=node)
        (fault,) = readings.faults(run)
        assert claims.not_the_leader(run, fault, within=1.0) == told
    run = broken()
    (fault,) = readings.faults(run)
    assert claims.not_the_leader(run, fault, within=0.2) != []
    assert claims.not_the_leader(without(run, kind("nodes")), fault) != []


def test_a_node_is_away_when_it_was_seen_to_be_gone_and_not_seen_at_work() -> None:
    down = listing("manager2", manager1="down")
    silent = ("ping", {"node": "manager1", "answers": False})
    back = listing("manager2")
    for rows, gone in (
        ([down], True),
        ([silent], True),
        ([], False),
        ([back], False),
        ([down, back], False),
        ([silent, ("ping", {"node": "manager1", "answers": True})], False),
    ):
        run = broken(*rows)
        (fault,) = readings.faults(run)
        assert (claims.not_away(run, fault, until=9.0) == []) is gone
