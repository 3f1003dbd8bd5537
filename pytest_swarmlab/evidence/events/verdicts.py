"""The checks of a run, and its verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pytest_swarmlab.evidence.events.kind import Seen


@dataclass(frozen=True)
class CheckDeclared:
    """A check of an exercise, before it is judged."""

    id: str
    phase: str
    title: str
    expected: str
    hint: str
    needs: Annotated[tuple[str, ...], "capabilities that the cluster must have"]


@dataclass(frozen=True)
class ExerciseSelected(Seen, kind="exercise.selected"):
    """An exercise with its checks, written before anything happens."""

    id: str
    title: str
    module: Annotated[str, "for readers: it is never imported"]
    titles: Annotated[Mapping[str, str], "phase → its heading"]
    comparison: Mapping[str, Any] | None
    distribution: Mapping[str, Any] | None
    checks: tuple[CheckDeclared, ...]


@dataclass(frozen=True)
class Checked(Seen, kind="check"):
    """The verdict on a check, at its phase's end."""

    exercise: str
    phase: str
    id: str
    title: str
    verdict: Annotated[str, "pass, fail, unknown, not_provable"]
    expected: str
    observed: str
    hint: str
    looked_at: Annotated[str, "commands and moments that the verdict rests on, in words"] = ""
    finding: str = ""


@dataclass(frozen=True)
class NotPerformed(Seen, kind="not-performed"):
    """A drill can't be performed here, or not to its end: its checks are not provable."""

    why: str


@dataclass(frozen=True)
class FindingMet(Seen, kind="finding"):
    """A check failed, and a finding about Swarm explains it."""

    name: str
    phase: str
    check: Annotated[str, "its id"]
    observed: str
    alone: Annotated[bool, "whether no other check failed"]


@dataclass(frozen=True)
class FindingTried(Seen, kind="finding.tried"):
    """How often a drill provoked a finding."""

    finding: str
    how: str
    trials: int
    seen: int


@dataclass(frozen=True)
class Measured(Seen, kind="measured"):
    """An exercise's measurements at a phase's end."""

    exercise: str
    phase: str
    values: Annotated[Mapping[str, Any], "name → number, text or null"]
