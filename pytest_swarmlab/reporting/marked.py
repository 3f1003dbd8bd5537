"""A mark in the form of results.json, and as text for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_swarmlab.marking.answers import Answer
from pytest_swarmlab.marking.mark import Mark, MarkedCheck
from pytest_swarmlab.marking.rubric import HUNDREDTHS, points
from pytest_swarmlab.text import clean, line


def as_results(
    mark: Mark, answers: Sequence[Answer], exercises: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """What results.json gets besides a run's own: `mark`, `criteria`, `for_the_teacher`.

    `exercises`: those of results.json, whose measurements stand beside what the teacher reads.
    """
    measured = {exercise["id"]: exercise["measurements"] for exercise in exercises}
    return {
        "mark": {
            "earned": number(mark.earned),
            "of": number(mark.of),
            "ungraded": number(mark.ungraded),
        },
        "criteria": [
            {
                "id": criterion.id,
                "title": line(criterion.title),
                "earned": number(criterion.earned),
                "of": number(criterion.of),
                "ungraded": number(criterion.ungraded),
                "checks": [_check(check) for check in criterion.checks],
            }
            for criterion in mark.criteria
        ],
        "for_the_teacher": [
            {
                "id": answer.question.id,
                "question": line(answer.question.text),
                "answer": clean(answer.text, 2000),
                "measured": _beside(answer, measured.get(answer.question.section, {})),
            }
            for answer in answers
        ],
    }


def number(hundredths: int) -> int | float:
    """Points as a number: 15, 2.5, 0.33."""
    whole, rest = divmod(hundredths, HUNDREDTHS)
    return whole if not rest else float(points(hundredths))


def _beside(answer: Answer, measured: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Phase → those of its measurements that the question is about."""
    wanted = answer.question.measured
    found = {
        phase: {name: values[name] for name in wanted if name in values}
        for phase, values in measured.items()
    }
    return {phase: values for phase, values in found.items() if values}


def _check(check: MarkedCheck) -> dict[str, Any]:
    result = check.result
    return {
        "id": result.id,
        "title": line(result.title),
        "item": check.item,
        "exercise": check.exercise,
        "verdict": result.verdict.value,
        "earned": number(check.earned),
        "of": number(check.of),
        "expected": clean(result.expected),
        "observed": clean(result.observed, 2000),
        "looked_at": clean(result.looked_at, 1000),
        "hint": clean(result.hint, 1000),
    }


def lost(check: Mapping[str, Any]) -> bool:
    """Whether that check of results.json costs points."""
    return bool(check["verdict"] == "fail")


def ungraded_by_reason(criteria: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Reason for ungraded points → hundredths of a point, the most first."""
    found: dict[str, int] = {}
    for criterion in criteria:
        for check in criterion["checks"]:
            if check["verdict"] in ("unknown", "not_provable"):
                worth = round(check["of"] * HUNDREDTHS)
                found[check["observed"]] = found.get(check["observed"], 0) + worth
    return dict(sorted(found.items(), key=lambda each: -each[1]))


def in_words(results: Mapping[str, Any]) -> str:
    """The mark for the terminal: by criterion, then each lost point with its reasons."""
    return "\n".join([*_table(results), *_lost(results), *_ungraded(results)]) + "\n"


def _table(results: Mapping[str, Any]) -> Iterator[str]:
    rows = [*results["criteria"], {**results["mark"], "title": "Total"}]
    width = max(len(row["title"]) for row in rows)
    for row in rows:
        rest = f"   {row['ungraded']:g} ungraded" if row["ungraded"] else ""
        yield f"{row['title']:{width}}  {row['earned']:>6g} of {row['of']:g}{rest}"


def _lost(results: Mapping[str, Any]) -> Iterator[str]:
    for criterion in results["criteria"]:
        for check in criterion["checks"]:
            if lost(check):
                yield ""
                yield f"-{check['of']:g}  {criterion['title']}: {check['title']} ({check['id']})"
                for name, told in (
                    ("looked at", check["looked_at"]),
                    ("expected", check["expected"]),
                    ("seen", check["observed"]),
                    ("to mend", check["hint"]),
                ):
                    if told:
                        yield f"    {name}: {line(told, 1000)}"


def _ungraded(results: Mapping[str, Any]) -> Iterator[str]:
    reasons = ungraded_by_reason(results["criteria"])
    if reasons:
        yield ""
        yield "Ungraded, neither earned nor lost:"
    for why, worth in reasons.items():
        yield f"    {points(worth)}: {line(why)}"
    if results["for_the_teacher"]:
        yield ""
        yield f"For the teacher to read: {len(results['for_the_teacher'])} answers."
