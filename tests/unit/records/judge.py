"""What the judges of all exercises keep, and how the tests of each show it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import ClassVar

import pytest

from pytest_swarmlab import Exercise
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.model import Verdict
from tests.unit.records.editing import Edit

Where = tuple[str, str]
"""Phase and check."""

Broke = tuple[Edit, str]
"""What breaks a good run of a phase, and a check's verdict then."""

Broken = dict[Where, list[Broke]]

ONLY_UNKNOWN = {"sampled"}
"""Checks of the measurement itself: what was not measured is unknown, not wrong."""


def break_alike(broken: Broken, exercise: Exercise, claims: Mapping[str, Edit]) -> None:
    """Add to the broken runs: claims that several phases make fail in each after the same edit."""
    for phase, claim in claimed(exercise):
        if edit := claims.get(claim):
            broken.setdefault((phase, claim), []).append((edit, "fail"))


def claimed(exercise: Exercise) -> list[Where]:
    """Every phase and check of an exercise."""
    return [(phase, claim) for _, phase, claim in (c.id.rsplit(".", 2) for c in exercise.checks)]


class JudgeContract:
    """A good run passes every check, a broken one does not, and no check is without one.

    A test module has a class of it, with its own exercise, phases, and good and broken runs.
    """

    exercise: ClassVar[Exercise]
    phases: ClassVar[Iterable[str]]
    broken: ClassVar[Broken]

    @staticmethod
    def good(phase: str) -> Record:
        """The record of a run in which that phase went well."""
        raise NotImplementedError(phase)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Every phase has a good run; every check its broken ones."""
        if "edit" in metafunc.fixturenames:
            cases = [
                pytest.param(*where, edit, verdict, id=f"{'.'.join(where)}-{number}-{verdict}")
                for where, edits in self.broken.items()
                for number, (edit, verdict) in enumerate(edits, 1)
            ]
            metafunc.parametrize(("phase", "check", "edit", "verdict"), cases)
        elif "phase" in metafunc.fixturenames:
            metafunc.parametrize("phase", list(self.phases))

    def test_a_good_run_passes_every_check(self, phase: str) -> None:
        results = self.exercise.judge(self.good(phase), phase)
        assert {r.id: r.observed for r in results if r.verdict is not Verdict.PASS} == {}

    def test_a_broken_run_does_not_pass(
        self, phase: str, check: str, edit: Edit, verdict: str
    ) -> None:
        results = self.exercise.judge(edit(self.good(phase)), phase)
        found = {r.id: r.verdict for r in results}
        assert found[f"{self.exercise.id}.{phase}.{check}"] == verdict

    def test_two_clusters_at_once_are_judged_as_each_alone(self, phase: str) -> None:
        alone = self.good(phase)
        workers = {
            "gw0": alone.events,
            "gw1": tuple(replace(e, t=e.t + 0.07) for e in alone),
        }
        both = [replace(e, worker=worker) for worker, each in workers.items() for e in each]
        both.sort(key=lambda e: e.t)
        record = Record(tuple(replace(e, seq=seq) for seq, e in enumerate(both)))
        before = {r.id: r.verdict for r in self.exercise.judge(alone, phase)}
        assert {r.id: r.verdict for r in self.exercise.judge(record, phase)} == before

    def test_no_check_is_without_a_run_that_it_refuses(self) -> None:
        refused = {
            where
            for where, edits in self.broken.items()
            if where[1] in ONLY_UNKNOWN or any(verdict == "fail" for _, verdict in edits)
        }
        assert set(claimed(self.exercise)) == refused
