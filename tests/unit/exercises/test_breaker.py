"""The second breaker finds claims that pass unseen, and none that say what they are about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import Window, judged, not_asked
from pytest_swarmlab.judging.exercise import Check
from pytest_swarmlab.model import Judgement
from tests.unit.exercises.test_nothing_passes_unseen import survivors
from tests.unit.records.editing import timed

NODES = ("manager1", "worker1")
BROKEN, MENDED, ENDED = 20.0, 40.0, 60.0


def run() -> Record:
    """Clients ask through two nodes twice a second; in between something else is broken."""
    asked: list[tuple[float, str, dict[str, Any]]] = [
        (
            turn / 2 + 0.01,
            "request",
            {"node": node, "sent": turn / 2, "seconds": 0.01, "error": None, "status": 200,
             "url": f"http://{node}:80/", "port": 80},
        )
        for turn in range(int(ENDED * 2))
        for node in NODES
    ]  # fmt: skip
    fault = {"fault": "stop-engine", "nodes": ["worker9"], "seconds": 0.1}
    marks = [(BROKEN, "fault.injected", fault), (MENDED, "fault.healed", fault)]
    return timed("9.9/drill", *asked, *marks, machines=NODES)


def found(window: Callable[[readings.Fault], Window]) -> set[str]:
    """What a claim about clients in that window passes on."""

    def judge(record: Record) -> Judgement:
        fault = readings.fault(record)
        assert fault is not None
        asked = readings.requests(record)
        lacks = not_asked(asked, through=NODES, window=window(fault))
        return judged("", holds=all(request.ok for request in asked), missing=lacks)

    check = Check("9.9.drill.answers", "9.9/drill", "", "", "", judge)
    return {broken for _, broken in survivors(run(), [check])}


def while_on(fault: readings.Fault) -> Window:
    return Window(fault.began - 1, fault.heal_began or ENDED)


def test_a_claim_about_clients_while_something_is_broken_passes_on_little_else() -> None:
    """The order of what happened is the word `out_of_order`'s; both nodes are asked alike."""
    assert found(while_on) == {
        "fault.injected: all seen at the phase's end",
        "request: nodes exchanged",
    }


def test_a_claim_whose_clients_stopped_before_it_was_broken_is_found() -> None:
    broken = found(lambda fault: Window(fault.began - 10, fault.began - 1))
    assert "request: none after at fault.injected" in broken
    assert "request: none from at fault.injected on" in broken


def test_a_claim_that_asks_whether_anybody_asked_of_nobody_is_found() -> None:
    def judge(record: Record) -> Judgement:
        return judged("", holds=all(request.ok for request in readings.requests(record)))

    check = Check("9.9.drill.answers", "9.9/drill", "", "", "", judge)
    broken = {each for _, each in survivors(run(), [check])}
    assert {"request: none", "request: another cluster's", "request: none of worker1"} <= broken
