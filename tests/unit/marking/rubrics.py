"""Small rubrics and results to mark."""

from __future__ import annotations

from typing import Any

from pytest_swarmlab.marking.rubric import Rubric, read
from pytest_swarmlab.model import CheckResult, Verdict


def table(**criteria: Any) -> dict[str, Any]:
    """A rubric of 100 points: criterion → item → what it says, each criterion with equal points."""
    share = 100 / len(criteria)
    return {
        "schema": "swarmlab-rubric/1",
        "title": "T",
        "criteria": {
            name.replace("_", "-"): {"title": name, "points": share, "checks": items}
            for name, items in criteria.items()
        },
    }


def item(*checks: str, weight: float = 1, **more: Any) -> dict[str, Any]:
    return {"of": list(checks), "weight": weight, **more}


def rubric(**criteria: Any) -> Rubric:
    return read(table(**criteria), "rubric")


def result(check: str, verdict: str = "pass", **more: str) -> CheckResult:
    told = {"title": "t", "expected": "e", "observed": "o", "hint": "h", **more}
    return CheckResult(id=check, verdict=Verdict(verdict), **told)


def results(**verdicts: str) -> dict[str, CheckResult]:
    return {name: result(name, verdict) for name, verdict in verdicts.items()}
