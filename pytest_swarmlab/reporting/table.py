"""Makes one table of proven exercises from the results of runs on different machines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_swarmlab.errors import ConfigError
from pytest_swarmlab.model import Verdict
from pytest_swarmlab.text import by_number, line


@dataclass(frozen=True)
class Run:
    """What the table says of one run.

    `cells`: of each exercise's id its text, and the reasons of what is not provable.
    """

    provider: str
    kernel: str
    cells: Mapping[str, tuple[str, Sequence[str]]]

    @classmethod
    def of(cls, results: Mapping[str, Any]) -> Run:
        """Of a results.json. Raises ValueError, KeyError or TypeError for anything else."""
        cells = {_shown(each["id"]): _cell(each["checks"]) for each in results["exercises"]}
        return cls(_shown(results["provider"]), _shown(results["kernel"]), cells)

    @classmethod
    def load(cls, path: Path) -> Run:
        """Of that file. Raises ConfigError."""
        try:
            return cls.of(json.loads(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise ConfigError(
                f"{path} can't be read ({error.strerror}): name the results.json of a run"
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"{path} is not the results.json of a run ({type(error).__name__}: {error}): leave"
                " it out"
            ) from error


def markdown(runs: Sequence[Run]) -> str:
    """A Markdown table, provider × exercise: proven, partly, not provable; and below it, why.

    Of several runs of the same provider on the same kernel the last counts for each exercise.
    """
    cells: dict[tuple[str, str], dict[str, str]] = {}
    reasons: dict[str, None] = {}
    exercises: set[str] = set()
    for run in runs:
        for id_, (text, why) in run.cells.items():
            exercises.add(id_)
            row = cells.setdefault((run.provider, run.kernel), {})
            row[id_] = text + _notes(why, reasons)
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
    lacking = [c["observed"] for c in checks if c["verdict"] == Verdict.NOT_PROVABLE]
    # A check names all that it lacks here.
    why = [_shown(each) for observed in lacking for each in str(observed).split("; ")]
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
