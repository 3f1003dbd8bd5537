"""What a check claims of every node, or of every number of losses, must have been seen of each."""

from __future__ import annotations

from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.model import Verdict
from tests.exercises.exercise_2_1.verify import exercise as exercise_2_1
from tests.exercises.exercise_2_2.verify import exercise as exercise_2_2
from tests.unit.exercises import test_2_1, test_2_2
from tests.unit.records.editing import without
from tests.unit.records.synthetic import record


def verdict(run: Record, check: str) -> Verdict:
    (found,) = (c for c in (*exercise_2_1.checks, *exercise_2_2.checks) if c.id == check)
    return found.result(run).verdict


def test_a_manager_that_was_never_asked_was_not_sampled() -> None:
    run = without(
        record(test_2_2.GOOD["power-off"]),
        lambda e: e.kind == "nodes" and e.data["seen_from"] == "manager2" and e.t > 41,
    )
    assert verdict(run, "2.2.power-off.sampled") is Verdict.UNKNOWN


def test_a_surviving_node_that_no_client_came_through_is_not_shown_to_answer() -> None:
    run = without(
        record(test_2_2.GOOD["power-off"]),
        lambda e: e.kind == "request" and e.data["node"] == "worker2",
    )
    assert verdict(run, "2.2.power-off.service-answers") is not Verdict.PASS


def test_losses_that_are_borne_do_not_show_that_one_more_is_not() -> None:
    run = test_2_1.good("three-managers")
    second = next(e for e in run if e.kind == "quorum" and e.data["lost"] == 2)
    cut = Record(tuple(e for e in run if e.seq < second.seq))
    assert verdict(cut, "2.1.three-managers.tolerance") is not Verdict.PASS


def test_a_remaining_node_that_no_client_came_through_is_not_shown_to_answer() -> None:
    run = without(
        test_2_1.good("two-managers"),
        lambda e: e.kind == "request" and e.data["node"] == "worker2",
    )
    assert verdict(run, "2.1.two-managers.service-answers") is not Verdict.PASS
