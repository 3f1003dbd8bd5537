"""Which tests `--swarmlab-submission` selects: drills on somebody's work, or all others."""

from __future__ import annotations

import pytest

TESTS = """
import pytest

@pytest.mark.submission
@pytest.mark.exercise_2_5
def test_theirs(swarm): pass

@pytest.mark.exercise_2_5
def test_labs(swarm): pass

def test_plain(): pass
"""


@pytest.mark.parametrize(
    ("words", "run"),
    [
        ((), {"test_labs", "test_plain"}),
        (("--swarmlab-submission=mine",), {"test_theirs", "test_plain"}),
        (("--swarmlab-submission=",), {"test_theirs", "test_plain"}),
        (("-m", "exercise_2_5", "--swarmlab-submission=mine"), {"test_theirs"}),
        (("-m", "exercise_2_5"), {"test_labs"}),
    ],
)
def test_drills_on_somebodys_work_are_run_for_it_and_no_others(
    suite: pytest.Pytester, words: tuple[str, ...], run: set[str]
) -> None:
    suite.makepyfile(TESTS)
    result = suite.runpytest_inprocess("-v", *words)
    result.assert_outcomes(passed=len(run), deselected=3 - len(run))
    for name in run:
        result.stdout.fnmatch_lines([f"*::{name} PASSED*"])
