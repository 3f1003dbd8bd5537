"""Turns verdicts and a rubric into a mark. Pure: the same input gives the same mark.

- A passed check earns its points; a failed check loses them.
- `unknown` and `not_provable` are *ungraded*: neither earned nor lost. So is a check that was not
  judged, and one whose failure a finding about Swarm alone explains: it is nobody's mistake.
- An item counts only if each item that it needs has earned points. If a needed item has lost all
  its points, this one is lost too. If a needed item is ungraded, a pass of this one is ungraded.
- If an item's checks are alternatives, one that was not judged counts as one that was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from pytest_swarmlab.judging.exercise import overall
from pytest_swarmlab.marking.rubric import DRILL, Criterion, Item, Rubric
from pytest_swarmlab.model import FINDINGS, CheckResult, Verdict
from pytest_swarmlab.text import line

NOT_THERE = {
    "state": "the cluster was not surveyed",
    "document": "no submission was given",
    "answer": "no submission was given",
}
"""First part of a check's id → why the check was not judged."""

UNGRADED = (Verdict.UNKNOWN, Verdict.NOT_PROVABLE)


@dataclass(frozen=True)
class MarkedCheck:
    """A check with its points; `of`, `earned`, `ungraded`, `lost` are hundredths of a point."""

    result: CheckResult
    item: str
    exercise: str
    of: int

    @property
    def earned(self) -> int:
        """All its points if it passed, else 0."""
        return self.of if self.result.verdict is Verdict.PASS else 0

    @property
    def ungraded(self) -> int:
        """All its points if it is unknown or not provable, else 0."""
        return self.of if self.result.verdict in UNGRADED else 0

    @property
    def lost(self) -> int:
        """All its points if it failed, else 0."""
        return self.of - self.earned - self.ungraded


@dataclass(frozen=True)
class MarkedCriterion:
    """A criterion with its checks; sums are hundredths of a point."""

    id: str
    title: str
    of: int
    checks: tuple[MarkedCheck, ...]

    @property
    def earned(self) -> int:
        """Sum of its checks' earned points."""
        return sum(check.earned for check in self.checks)

    @property
    def ungraded(self) -> int:
        """Sum of its checks' ungraded points."""
        return sum(check.ungraded for check in self.checks)


@dataclass(frozen=True)
class Mark:
    """The whole mark, by criterion; sums are hundredths of a point."""

    criteria: tuple[MarkedCriterion, ...]

    @property
    def of(self) -> int:
        """All points of the rubric."""
        return sum(criterion.of for criterion in self.criteria)

    @property
    def earned(self) -> int:
        """All earned points."""
        return sum(criterion.earned for criterion in self.criteria)

    @property
    def ungraded(self) -> int:
        """All ungraded points."""
        return sum(criterion.ungraded for criterion in self.criteria)

    @property
    def lost(self) -> int:
        """All lost points."""
        return self.of - self.earned - self.ungraded


class _State(StrEnum):
    """The state of an item, for the items that need it."""

    MET = "met"
    FAILED = "failed"
    OPEN = "open"


def mark(rubric: Rubric, results: Mapping[str, CheckResult]) -> Mark:
    """Mark results (check's id → result) by a rubric."""
    items = rubric.items
    marked: dict[str, tuple[MarkedCheck, ...]] = {}
    states: dict[str, _State] = {}
    for name in rubric.order:
        marked[name] = _item(items[name], results, states)
        states[name] = _state(marked[name])
    return Mark(tuple(_criterion(criterion, marked) for criterion in rubric.criteria))


def _criterion(
    criterion: Criterion, marked: Mapping[str, tuple[MarkedCheck, ...]]
) -> MarkedCriterion:
    checks = tuple(check for item in criterion.items for check in marked[item.id])
    return MarkedCriterion(criterion.id, criterion.title, criterion.of, checks)


def _item(
    item: Item, results: Mapping[str, CheckResult], states: Mapping[str, _State]
) -> tuple[MarkedCheck, ...]:
    failed = [need for need in item.needs if states[need] is _State.FAILED]
    unsure = [need for need in item.needs if states[need] is _State.OPEN]
    found = []
    for check, part in zip(item.checks, item.parts, strict=True):
        result = results.get(check) or _other_way(check, item, results) or _nobody(check, item)
        if result.hint != item.hint:
            result = replace(result, hint=f"{item.hint} {result.hint}".strip())
        if result.finding:
            result = _swarms_own(result)
        if failed:
            result = _without(result, failed)
        elif unsure and result.verdict is Verdict.PASS:
            result = replace(
                result,
                verdict=Verdict.UNKNOWN,
                observed=f"it counts only with {_named(unsure)}, which is ungraded;"
                f" observed: {result.observed}",
            )
        found.append(MarkedCheck(result, item.id, item.exercise, part))
    return tuple(found)


def _swarms_own(result: CheckResult) -> CheckResult:
    """The result as ungraded, because Swarm itself made it fail."""
    return replace(
        result,
        verdict=Verdict.UNKNOWN,
        observed=f"Swarm's own fault {line(result.finding)} explains it ({FINDINGS}):"
        f" {result.observed}",
    )


def _without(result: CheckResult, failed: list[str]) -> CheckResult:
    """The result as lost, because an item that it needs has failed."""
    if result.verdict is Verdict.FAIL:
        return result
    seen = f"; observed: {result.observed}" if result.observed else ""
    return replace(
        result,
        verdict=Verdict.FAIL,
        observed=f"it counts only with {_named(failed)}, which failed{seen}",
        hint=f"First repair {_named(failed)}. {result.hint}".strip(),
    )


def _named(needs: list[str]) -> str:
    return " and ".join(repr(need) for need in needs)


def _state(checks: tuple[MarkedCheck, ...]) -> _State:
    if any(check.earned for check in checks):
        return _State.MET
    return _State.OPEN if any(check.ungraded for check in checks) else _State.FAILED


def _other_way(check: str, item: Item, results: Mapping[str, CheckResult]) -> CheckResult | None:
    """The result of an alternative that was not taken: the worst of those that were, or None."""
    taken = [results[other] for other in item.checks if item.either and other in results]
    if not taken:
        return None
    verdict = overall(result.verdict for result in taken)
    worst = next(result for result in taken if result.verdict is verdict)
    return replace(
        worst, id=check, observed=f"the alternative {worst.id} was taken: {worst.observed}"
    )


def _nobody(check: str, item: Item) -> CheckResult:
    """The result of a check that was not judged."""
    drill = DRILL.fullmatch(check)
    kind = check.partition(".")[0]
    why = (
        f"exercise {drill[1]} was not performed" if drill else NOT_THERE.get(kind, "nobody looked")
    )
    return CheckResult(
        id=check,
        title=item.id.replace("-", " "),
        verdict=Verdict.UNKNOWN,
        expected="",
        observed=f"not judged: {why}",
        hint=item.hint,
    )
