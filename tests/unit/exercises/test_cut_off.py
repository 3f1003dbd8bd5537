"""What was not seen any more is no failure: real runs, cut off after an event as a killed run is.

Of a run that is killed, or whose worker dies, the record ends in the middle of a phase. What was
wrong by then stays wrong; of all else nobody knows what it would have become, and that is unknown.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pytest_swarmlab.errors import Unseen
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.exercise import Check
from pytest_swarmlab.model import Verdict
from tests.unit.exercises.test_every_check_can_fail import EXERCISES
from tests.unit.exercises.test_nothing_passes_unseen import PHASES, part

FEW, LONG, FEW_OF_LONG = 60, 1000, 12
"""Events of one kind in a phase after each of which the record is cut; of more, some are. The last:
in a phase with so many events, which takes long to judge."""


def cuts(run: Record) -> Iterator[tuple[str, Record]]:
    """The kind of the last event that is left, and the record that ends with it.

    It ends with the first and with the last of each kind, and with some between.
    """
    found: dict[str, list[int]] = {}
    for place, event in enumerate(run):
        if event.phase:
            found.setdefault(event.kind, []).append(place)
    places = {each[place] for each in found.values() for place in (0, -1)}
    few = FEW if len(run.events) < LONG else FEW_OF_LONG
    for each in found.values():
        places.update(each[:: len(each) // few + 1])
    for place in sorted(places):
        yield run.events[place].kind, Record(run.events[: place + 1])


def failing(check: Check, run: Record) -> str:
    """Why a check fails on that record; "" where it does not. A judge's crash is no verdict."""
    try:
        judgement = check.judge(run)
    except Unseen:
        return ""
    return judgement.observed if judgement.verdict is Verdict.FAIL else ""


@pytest.mark.parametrize("phase", PHASES)
def test_what_was_not_seen_any_more_is_no_failure(phase: str) -> None:
    run = part(phase)
    checks = [c for exercise in EXERCISES for c in exercise.checks if c.phase == phase]
    passing = [check for check in checks if check.result(run).verdict is Verdict.PASS]
    found = {
        (check.id, kind): said
        for kind, cut in cuts(run)
        for check in passing
        if (said := failing(check, cut))
    }
    assert found == {}
