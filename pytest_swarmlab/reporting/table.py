"""Makes one table of proven exercises from the results of runs on different machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_swarmlab.model import Verdict
from pytest_swarmlab.text import by_number, line

Results = Mapping[str, Any]
"""A run's results.json."""


def markdown(runs: Sequence[Results]) -> str:
    """A Markdown table, provider × exercise: proven, partly, not provable; and below it, why.

    Of several runs of the same provider on the same kernel the last counts for each exercise.
    """
    cells: dict[tuple[str, str], dict[str, str]] = {}
    reasons: dict[str, None] = {}
    exercises: set[str] = set()
    for run in runs:
        where = (_shown(run["provider"]), _shown(run["kernel"]))
        for exercise in run["exercises"]:
            id_ = _shown(exercise["id"])
            exercises.add(id_)
            text, why = _cell(exercise["checks"])
            cells.setdefault(where, {})[id_] = text + _notes(why, reasons)
    columns = sorted(exercises, key=by_number)
    lines = [
        "| Provider, kernel | " + " | ".join(columns) + " |",
        "|---" * (len(columns) + 1) + "|",
    ]
    for (provider, kernel), row in cells.items():
        found = (row.get(exercise, "not tried") for exercise in columns)
        lines.append(f"| `{provider}`, {kernel} | " + " | ".join(found) + " |")
    lines += ["", *(f"{n}. {why}" for n, why in enumerate(reasons, 1))]
    return "\n".join(lines).rstrip() + "\n"


def _shown(value: Any) -> str:
    """What a file says, as a cell's text."""
    return line(value).replace("|", "\\|")


def _cell(checks: Sequence[Mapping[str, Any]]) -> tuple[str, list[str]]:
    verdicts = [Verdict(check["verdict"]) for check in checks]
    proven, unprovable = (verdicts.count(v) for v in (Verdict.PASS, Verdict.NOT_PROVABLE))
    why = [_shown(c["observed"]) for c in checks if c["verdict"] == Verdict.NOT_PROVABLE]
    if verdicts and proven == len(verdicts):
        return f"proven ({proven} checks)", []
    if proven + unprovable < len(verdicts) or not verdicts:
        return f"**not shown** ({proven} of {len(verdicts)})", why
    if not proven:
        return "not provable", why
    return f"partly ({proven} of {len(verdicts)})", why


def _notes(why: Sequence[str], reasons: dict[str, None]) -> str:
    for reason in why:
        reasons.setdefault(reason)
    numbers = sorted({list(reasons).index(reason) + 1 for reason in why})
    return f" [{', '.join(map(str, numbers))}]" if numbers else ""
