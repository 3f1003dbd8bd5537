"""The first table of the page: who led before and after, which requests and writes are lost."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_swarmlab.reporting.outcomes import Outcome, outcome
from pytest_swarmlab.reporting.timeline import build_timeline
from tests.unit.records.editing import changed, timed, without
from tests.unit.records.synthetic import THREE_DRILLS, Drill, record

Row = tuple[float, str, dict[str, Any]]

PHASE = "2.2/drill"


def of_drill(drill: Drill) -> Outcome:
    part = record(drill).phase(drill.phase)
    found = outcome(part, build_timeline(part, drill.phase))
    assert found is not None
    return found


def of_rows(*rows: Row) -> Outcome | None:
    return outcome(timed(PHASE, *rows).phase(PHASE), None)


def request(sent: float, *, ok: bool = True) -> Row:
    answer = {"status": 200, "error": None} if ok else {"status": None, "error": "refused"}
    return sent + 0.01, "request", {"node": "manager1", "sent": sent, "seconds": 0.01, **answer}


def entry(number: int, id_: str | None) -> Row:
    return number + 0.5, "entry", {
        "number": number, "sent": float(number), "seconds": 0.5, "id": id_, "error": None,
        "ledger": "rows",
    }  # fmt: skip


def test_it_tells_the_lost_leader_and_the_next_one_with_the_seconds() -> None:
    found = of_drill(Drill(PHASE))
    assert found.fault == "manager1 engine stopped"
    assert found.leader == "manager1 → manager3 after 12.5\N{NO-BREAK SPACE}s"
    assert 0 < found.failed < found.asked


def test_an_election_that_nobody_saw_is_told() -> None:
    assert of_drill(Drill(PHASE, elected=1000.0)).leader == "manager1 → none seen"


def test_a_leader_that_the_fault_left_alone_leads_throughout() -> None:
    drill = Drill(PHASE, successor="manager1", elected=0.0)
    part = changed(
        record(drill).phase(PHASE), lambda e: e.kind.startswith("fault."), nodes=["worker1"]
    )
    found = outcome(part, build_timeline(part, PHASE))
    assert found is not None
    assert (found.fault, found.leader) == ("worker1 engine stopped", "manager1 throughout")


def test_who_led_is_not_guessed() -> None:
    drill = THREE_DRILLS[0]
    part = without(record(drill).phase(drill.phase), lambda event: event.kind == "nodes")
    found = outcome(part, None)
    assert found is not None
    assert (found.fault, found.leader) == ("manager1 engine stopped", "")


def test_a_fault_of_many_nodes_and_several_faults_are_counted() -> None:
    def fault(t: float, kind: str, *nodes: str) -> Row:
        return t, "fault.injected", {"fault": kind, "nodes": list(nodes), "seconds": 0.1}

    found = of_rows(fault(1, "power-off", "a", "b", "c", "d"), fault(5, "stop-engine", "e"))
    assert found is not None
    assert found.fault == "4 machines powered off, and 1 more"
    assert found.at == "00:00"


def test_failed_requests_and_the_gap_between_good_answers_are_told() -> None:
    asked = (request(t / 2, ok=not 4 <= t < 8) for t in range(20))
    found = of_rows(*asked)
    assert found is not None
    assert (found.at, found.fault, found.failed, found.asked) == ("", "", 4, 20)
    assert found.gap == "2.5 s"


def test_a_pause_of_the_clients_is_no_gap_of_the_service() -> None:
    found = of_rows(request(0.0), request(0.5), request(20.0), request(20.5))
    assert found is not None
    assert found.gap == ""


@pytest.mark.parametrize(
    ("rows", "counts"),
    [
        ([entry(1, "a"), entry(2, "b"), entry(3, None)], (0, 0)),
        (
            [
                entry(1, "a"), entry(2, "b"), entry(3, None),
                (9.0, "entries", {"ledger": "rows", "found": [["a", 1]]}),
            ],
            (1, 2),
        ),
    ],
)  # fmt: skip
def test_a_write_is_lost_if_it_was_acknowledged_and_looked_for_in_vain(
    rows: list[Row], counts: tuple[int, int]
) -> None:
    found = of_rows(*rows)
    assert found is not None
    assert (found.lost, found.acknowledged) == counts


def test_a_phase_of_which_there_is_nothing_to_tell_has_no_row() -> None:
    assert of_rows((1.0, "milestone", {"text": "begun"})) is None
