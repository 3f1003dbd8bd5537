"""The table of known-bad solutions, docs/known-bad.md: `make known-bad-table` writes it anew."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from pytest_swarmlab.marking import combining
from pytest_swarmlab.marking.rubric import points
from tests.marking import drilled, known_bad
from tests.marking.known_bad import OF_REFERENCE, Outcome, Solution

PAGE = Path(__file__).parents[2] / "docs" / "known-bad.md"

HEAD = """\
# Known-bad solutions

Each is the [reference solution](../tests/marking/reference) with one plausible mistake, and loses
the points of that mistake and no others. `make known-bad-table` writes this page and a test
compares it: a change of a check or of the rubric shows here what it does to marks.

- **Lost**: the checks that fail for the mistake itself.
- **With it**: checks that count only with one of those (`needs` in the rubric), drills among them.
- **Points**: what all of these are worth. **Ungraded**: points of which nobody can tell any more.
- **By**: `recorded`, a survey of a real cluster on which the mistake was made; `edited`, the
  reference's survey changed by hand; `files alone`, no cluster is needed to see it.

No drill was performed for this table: what drills show is ungraded, and not counted below.
"""

DRILLED = """
## Mistakes that only a drill shows

Made on a real cluster, one each, and drilled as a submission is (`make known-bad-drills`; what was
seen is in [`drilled.json`](../tests/marking/drilled.json)). **Lost**: the checks of that drill that
failed, and those that count only with one of them; all others of it that have points passed.
**Points**: what these are worth.
"""


def page(outcome: Callable[[str], Outcome]) -> str:
    """The whole page; `outcome`: a solution's name, or the reference's → what it gets."""
    reference = outcome(OF_REFERENCE)
    rows = [_row(each, outcome(each.name), reference) for each in known_bad.solutions()]
    mark = reference.mark
    recorded = sum(each.origin == "recorded" for each in known_bad.solutions())
    summary = (
        f"\nThe reference, surveyed and not drilled: {points(mark.earned)} of {points(mark.of)}"
        f" points, {points(mark.lost)} lost, {points(mark.ungraded)} ungraded.\n"
        f"{len(rows)} known-bad solutions, {recorded} of them recorded on a real cluster.\n"
    )
    table = [
        "| Solution | What is wrong | Lost | With it | Points | Ungraded | By |",
        "|---|---|---|---|---|---|---|",
    ]
    return HEAD + summary + "\n" + "\n".join([*table, *rows, DRILLED, *_drilled()]) + "\n"


def _drilled() -> list[str]:
    """Of each mistake that was made for a drill what the latest run has seen."""
    seen = drilled.seen()
    worth = {
        check: part
        for item in combining.load(None).rubric.items.values()
        for check, part in zip(item.checks, item.parts, strict=True)
    }
    rows = ["| Solution | What is wrong | Drill | Lost | Points |", "|---|---|---|---|---|"]
    for each in drilled.solutions():
        verdicts = seen.get(each.name)
        lost = [
            check
            for check in worth
            if (found := (verdicts or {}).get(check)) == "fail"
            or (found == "unknown" and check in each.hides)
        ]
        cells = (
            each.name,
            each.wrong.removesuffix("."),
            f"{each.exercise} {each.drill}",
            _listed(lost) if verdicts else "not run yet",
            points(sum(worth[check] for check in lost)) if verdicts else "",
        )
        rows.append("| " + " | ".join(cells) + " |")
    return rows


def _row(solution: Solution, found: Outcome, reference: Outcome) -> str:
    cells = (
        solution.name,
        solution.wrong.removesuffix(".").replace("|", "\\|"),
        _listed(_own(found, solution)),
        _listed(_fallen(found, solution)),
        points(found.mark.lost),
        points(_untold(found, reference)),
        solution.origin,
    )
    return "| " + " | ".join(cells) + " |"


def _untold(found: Outcome, reference: Outcome) -> int:
    """Hundredths of a point that the reference was given, and that nobody can tell of here."""
    told = {c.result.id for criterion in reference.mark.criteria for c in criterion.checks
            if c.earned}  # fmt: skip
    return sum(
        check.ungraded
        for criterion in found.mark.criteria
        for check in criterion.checks
        if check.result.id in told
    )


def _own(found: Outcome, solution: Solution) -> list[str]:
    return [id_ for id_, _ in known_bad.lost(found.mark) if id_ in solution.loses]


def _fallen(found: Outcome, solution: Solution) -> list[str]:
    return [id_ for id_, _ in known_bad.lost(found.mark) if id_ not in solution.loses]


def _listed(checks: Sequence[str]) -> str:
    return "<br>".join(f"`{check}`" for check in checks)


def marked(name: str) -> Outcome:
    """What that solution, or the reference, gets."""
    solution = next((each for each in known_bad.solutions() if each.name == name), None)
    with tempfile.TemporaryDirectory() as place:
        return known_bad.outcome(solution, Path(place))


if __name__ == "__main__":
    PAGE.write_text(page(marked), "utf-8")
