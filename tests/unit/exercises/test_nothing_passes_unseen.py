"""No claim passes with the evidence of its own sentence gone: the second breaker, on real runs.

From the record of a real run of every exercise it takes away, or moves, what each claim reads. What
passes all the same stands in that exercise's `STILL_PASSES`: claim and break, or patterns of both,
with the reason. One that names a single phase must be needed there.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase

import pytest

from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.exercise import Check
from pytest_swarmlab.model import Verdict
from tests.unit.exercises.test_every_check_can_fail import EXERCISES, MODULES
from tests.unit.records.breaker import Break, breaks, real
from tests.unit.records.declared import claim_of
from tests.unit.records.editing import kind, without

SINCE = {"identities-kept": "identities"}
"""Claims that are younger than the saved runs, and the events that these have not: until there are
others, what each claim's own tests take away is all that is taken away."""

BY_ID = {exercise.id: exercise for exercise in EXERCISES}
PHASES = sorted({check.phase for exercise in EXERCISES for check in exercise.checks})
EXPLAINED: dict[str, Mapping[tuple[str, str], str]] = {
    number: getattr(module, "STILL_PASSES", {}) for number, module in MODULES.items()
}

NOT_SEEN: dict[str, Mapping[str, str]] = {
    number: getattr(module, "NOT_SEEN", {}) for number, module in MODULES.items()
}
"""What the real run that is kept does not show, being older than the claim; what was not seen."""


def younger(check: Check) -> bool:
    """Whether the kept run has no event of the kind that this claim is about."""
    since = SINCE.get(check.id.rpartition(".")[2])
    return since is not None and not run_of(check.phase.split("/")[0]).of(since)


@functools.cache
def run_of(exercise: str) -> Record:
    return real(exercise)


def part(phase: str) -> Record:
    """What was recorded of that phase, and of which cluster."""
    run = run_of(phase.split("/")[0])
    ready = run.before_end_of(phase).of("cluster.ready")[-1:]
    events = (*ready, *run.phase(phase).events)
    return Record(tuple(replace(e, seq=seq) for seq, e in enumerate(events)))


def survivors(run: Record, checks: list[Check]) -> set[tuple[str, str]]:
    """Claims, by phase and name, that pass on a broken record: and what was broken."""
    claims = {check: claim_of(check, run) for check in checks}
    kinds = {check: claim.kinds for check, claim in claims.items()}
    found: set[tuple[str, str]] = set()
    gone: dict[str, Break] = {}
    for each in breaks(run, set().union(*kinds.values())):
        if each.how == "none":
            gone[each.kind] = each
        broken = each.edit(run)
        for check, claim in claims.items():
            if claim.read & each.touched and not claim.bears(each, run) and passes(check, broken):
                found.add((check.id, each.name))
    for name in set().union(*kinds.values()):
        both = beside_another(run, name)
        for check in checks:
            if name not in kinds[check] or (name in gone and claims[check].bears(gone[name], run)):
                continue
            if check.result(both).verdict is Verdict.PASS:
                found.add((check.id, f"{name}: another cluster's"))
    return found


def passes(check: Check, run: Record) -> bool:
    """What a judge says of a record that holds its own phase alone; an error is no pass."""
    try:
        return check.judge(run).verdict is Verdict.PASS
    except Exception:  # noqa: BLE001 - as `Check.result` has it
        return False


def beside_another(run: Record, name: str) -> Record:
    """This cluster's worker saw nothing of that kind; beside it another's saw all of it."""
    own = [replace(e, worker="gw0") for e in without(run, kind(name))]
    other = [replace(e, worker="gw1", t=e.t + 0.07) for e in run]
    both = sorted((*own, *other), key=lambda e: e.t)
    return Record(tuple(replace(e, seq=seq) for seq, e in enumerate(both)))


@pytest.mark.parametrize("phase", PHASES)
def test_no_claim_passes_with_the_evidence_of_its_own_sentence_gone(phase: str) -> None:
    number, name = phase.split("/")
    checks = [check for check in BY_ID[number].checks if check.phase == phase]
    older = [check for check in checks if check.id in NOT_SEEN[number] or younger(check)]
    shown = {
        check.id for check in older if check.result(part(phase)).verdict is not Verdict.UNKNOWN
    }
    assert shown == set(), "the real run shows it now: it is broken like the others"
    checks = [check for check in checks if check not in older]
    mine = {
        (claim, broken)
        for claim, broken in EXPLAINED[number]
        if fnmatchcase(f"{number}.{name}.", claim.rpartition(".")[0] + ".")
    }
    used: set[tuple[str, str]] = set()
    unexplained = []
    for claim, broken in sorted(survivors(part(phase), checks)):
        why = {
            each for each in mine if fnmatchcase(claim, each[0]) and fnmatchcase(broken, each[1])
        }
        used |= why
        if not why:
            unexplained.append(f"{claim} passes: {broken}")
    assert unexplained == []
    of_one = {each for each in mine if f"{number}.{name}." in each[0]}
    assert of_one - used == set(), "nothing of that happens: its explanation is out of date"
