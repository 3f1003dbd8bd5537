"""Load is raised for as long as the shop gets more done, on a machine of any speed."""

from __future__ import annotations

import itertools
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from tests.exercises.exercise_2_10 import steps
from tests.exercises.exercise_2_10.knee import Step, knee
from tests.exercises.exercise_2_10.verify import exercise
from tests.unit.exercises.test_2_10 import EARLY, raised
from tests.unit.records.editing import timed

LATE = {1: 20, 2: 40, 4: 80, 8: 100, 16: 120}
"""Visitors → good answers in their step; it grows until the last."""


@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        (EARLY, "pass"),
        ({**LATE, 32: 121}, "pass"),
        ({**LATE, 32: 140, 64: 141}, "pass"),
        ({**LATE, 64: 121}, "unknown"),
        # Nobody saw whether it grows beyond it.
        (LATE, "unknown"),
        ({**LATE, 32: 140, 64: 160}, "unknown"),
        ({**LATE, 32: 140, 64: 160, 128: 161}, "pass"),
        ({**LATE, 32: 140, 64: 160, 128: 180}, "fail"),
        # More than a tenth above the 140, and hardly above the 153.
        ({**LATE, 32: 140, 64: 153, 128: 155}, "pass"),
    ],
)
def test_the_knee_is_beyond_the_steps_of_every_machine(
    answers: dict[int, int], verdict: str
) -> None:
    record = timed(exercise.phase("load"), *raised(answers))
    found = {result.id: result for result in exercise.judge(record, "load")}
    raised_until = found["2.10.load.raised-until-the-knee"]
    assert raised_until.verdict.value == verdict, raised_until.observed


@pytest.mark.parametrize(
    ("throughputs", "place"),
    [
        ([20, 40, 80, 82, 76], 2),
        ([71, 96, 95, 102, 109, 134, 146, 148], 6),
        # Each of them is less than a tenth above the one before.
        ([100, 109, 119, 130, 141, 154, 155], 4),
        ([100, 109, 119, 130, 141], 3),
        ([20, 40, 80, 100, 120], None),
        ([20], None),
        ([], None),
    ],
)
def test_the_knee_is_the_first_step_that_none_exceeds_by_more_than_a_tenth(
    throughputs: list[int], place: int | None
) -> None:
    found = [Mock(Step, throughput=float(each)) for each in throughputs]
    assert knee(found) == place


@pytest.mark.parametrize(
    ("answers", "made"),
    [
        (EARLY, [1, 2, 4, 8, 16]),
        ({**LATE, 32: 121}, [1, 2, 4, 8, 16, 32]),
        ({**LATE, 32: 140, 64: 160, 128: 180}, [1, 2, 4, 8, 16, 32, 64, 128]),
    ],
)
def test_load_is_raised_until_more_visitors_get_no_more_done(
    answers: dict[int, int], made: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Visitors(nullcontext[Any]):
        def __init__(self, _: object, many: int) -> None:
            super().__init__(self)
            self.served = answers[many]

    monkeypatch.setattr(steps, "Visitors", Visitors)
    clock = itertools.count(0.0, 10.0)
    seen: list[int] = []
    crowd: Any = SimpleNamespace(shop=SimpleNamespace(now=lambda: next(clock)))
    evidence: Any = SimpleNamespace(write=lambda step: seen.append(step.visitors))
    wait: Any = Mock()
    steps.raise_load(crowd, wait, evidence)
    assert seen == made
