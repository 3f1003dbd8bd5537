"""What the judges of all exercises keep, and how the tests of each show it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

import pytest

from pytest_swarmlab import Exercise
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.model import Verdict
from tests.unit.records.editing import Edit

Broken = Mapping[tuple[str, str], Sequence[tuple[Edit, str]]]
"""Phase and check → what breaks a good run of that phase, and the verdict then."""

ONLY_UNKNOWN = {"sampled"}
"""Checks of the measurement itself: what was not measured is unknown, not wrong."""


def refusing(broken: Broken) -> tuple[Edit, ...]:
    """The edits after which some check fails."""
    return tuple(edit for edits in broken.values() for edit, verdict in edits if verdict == "fail")


class JudgeContract:
    """A good run passes every check, a broken one does not, and no check is without one.

    A test module has a class of it, with its own exercise, phases, and good and broken runs.
    """

    exercise: ClassVar[Exercise]
    phases: ClassVar[Iterable[str]]
    broken: ClassVar[Broken]
    in_each_phase: ClassVar[bool] = True
    """Whether a claim that several phases make is broken in each of them, or in some."""

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

    def test_no_check_is_without_a_run_that_it_refuses(self) -> None:
        declared = {tuple(check.id.rsplit(".", 2)[1:]) for check in self.exercise.checks}
        refused = {
            (phase, check)
            for (phase, check), edits in self.broken.items()
            if check in ONLY_UNKNOWN or any(verdict == "fail" for _, verdict in edits)
        }
        if self.in_each_phase:
            assert declared == refused
        else:
            assert {check for _, check in declared} == {check for _, check in refused}
