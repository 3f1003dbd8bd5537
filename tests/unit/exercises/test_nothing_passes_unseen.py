"""No claim passes with the evidence of its own sentence gone: the second breaker, on real runs.

From the record of a real run of every exercise it takes away, or moves, what each claim reads. What
passes all the same stands in that exercise's `STILL_PASSES`, with the reason.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase

import pytest

from pytest_swarmlab import Exercise
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.exercise import Check
from pytest_swarmlab.model import Verdict
from tests.unit.exercises import test_2_2
from tests.unit.exercises.test_every_check_can_fail import EXERCISES, MODULES
from tests.unit.records.breaker import AT_FIRST, breaks, kinds_read, real
from tests.unit.records.editing import kind, without

EXPLAINED: dict[str, Mapping[tuple[str, str], str]] = {
    number: getattr(module, "STILL_PASSES", {})
    for number, module in {**MODULES, "2.2": test_2_2}.items()
}


@functools.cache
def run_of(exercise: str) -> Record:
    return real(exercise)


def part(phase: str) -> Record:
    """What was recorded of that phase, and of which cluster."""
    run = run_of(phase.split("/")[0])
    ready = run.before_end_of(phase).of("cluster.ready")[-1:]
    events = (*ready, *run.phase(phase).events)
    return Record(tuple(replace(e, seq=seq) for seq, e in enumerate(events)))


def reads(check: Check, run: Record) -> set[str]:
    """The kinds of events that a claim's judge asks for on a good run."""
    with kinds_read() as read:
        assert check.judge(run).verdict is Verdict.PASS, check.result(run)
    return read


def survivors(run: Record, checks: list[Check]) -> set[tuple[str, str]]:
    """Claims, by phase and name, that pass on a broken record: and what was broken."""
    needed = {check: reads(check, run) for check in checks}
    found = set()
    for each in breaks(run, set().union(*needed.values())):
        broken = each.edit(run)
        for check in checks:
            # What is of one look has no order.
            alone = needed[check] - {"cluster.ready"} == each.kinds
            if not needed[check] & each.kinds or (alone and each.name.endswith(AT_FIRST)):
                continue
            if check.result(broken).verdict is Verdict.PASS:
                found.add((check.id, each.name))
    for check in checks:
        for name in needed[check] & {event.kind for event in run}:
            if check.result(beside_another(run, name)).verdict is Verdict.PASS:
                found.add((check.id, f"{name}: another cluster's"))
    return found


def beside_another(run: Record, name: str) -> Record:
    """This cluster's worker saw nothing of that kind; beside it another's saw all of it."""
    own = [replace(e, worker="gw0") for e in without(run, kind(name))]
    other = [replace(e, worker="gw1", t=e.t + 0.07) for e in run]
    both = sorted((*own, *other), key=lambda e: e.t)
    return Record(tuple(replace(e, seq=seq) for seq, e in enumerate(both)))


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
def test_no_claim_passes_with_the_evidence_of_its_own_sentence_gone(exercise: Exercise) -> None:
    explained = EXPLAINED[exercise.id]
    used, unexplained = set(), []
    for phase in sorted({check.phase for check in exercise.checks}):
        checks = [check for check in exercise.checks if check.phase == phase]
        for claim, broken in sorted(survivors(part(phase), checks)):
            why = {c for c in explained if fnmatchcase(claim, c[0]) and fnmatchcase(broken, c[1])}
            used |= why
            if not why:
                unexplained.append(f"{claim} passes: {broken}")
    assert unexplained == []
    assert explained.keys() - used == set(), "nothing of that happens: it needs no explanation"
