"""Mistakes that only a drill shows: the reference with one of them, drilled on a real cluster.

``known_bad_drilled.yml`` has them, ``drilled.json`` what the latest run saw.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from pytest_swarmlab.marking import combining
from pytest_swarmlab.marking.mark import mark
from pytest_swarmlab.model import CheckResult, Verdict

HERE = Path(__file__).parent
DATA, SEEN = HERE / "known_bad_drilled.yml", HERE / "drilled.json"

DRILLS = {
    "rotation": "2.6",
    "plaintext": "2.6",
    "switch": "2.7",
    "heal": "2.9",
    "bad-update": "2.9",
    "disaster": "2.8",
}
"""Drill, which is a phase → the exercise whose it is."""

STACKS = {
    "2.6": ("multitier",),
    "2.7": ("proxy",),
    "2.9": ("health",),
    "2.8": ("health",),
}
"""Exercise → the reference's stacks that its drill needs; the others are left out."""


@dataclass(frozen=True)
class Drilled:
    """One of them; the data's head tells what its parts mean."""

    name: str
    wrong: str
    drill: str
    loses: frozenset[str]
    files: Mapping[str, Any] = field(default_factory=dict)

    @property
    def exercise(self) -> str:
        """The exercise's number."""
        return DRILLS[self.drill]

    @property
    def hides(self) -> frozenset[str]:
        """Checks that mean nothing without a lost one, so that their points are lost as well.

        How soon a task is healed nobody sees where none is healed.
        """
        failed = {id_: CheckResult(id_, "", Verdict.FAIL, "", "", "") for id_ in self.loses}
        criteria = mark(combining.load(None).rubric, failed).criteria
        lost = {check.result.id for each in criteria for check in each.checks if check.lost}
        return frozenset(lost - self.loses)


@cache
def solutions() -> tuple[Drilled, ...]:
    """All of them, in the order in which they are drilled."""
    told = yaml.safe_load(DATA.read_text("utf-8"))
    return tuple(Drilled(**{**each, "loses": frozenset(each["loses"])}) for each in told)


def seen() -> dict[str, dict[str, str]]:
    """Solution → check → its verdict, as the latest run saw it."""
    found: dict[str, dict[str, str]] = json.loads(SEEN.read_text("utf-8"))
    return found


def note(name: str, verdicts: Mapping[str, str]) -> None:
    """Keep what a run has seen."""
    known = seen() if SEEN.is_file() else {}
    known[name] = dict(sorted(verdicts.items()))
    SEEN.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", "utf-8")
