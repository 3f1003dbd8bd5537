"""Lines of ours among pytest's own at the terminal."""

from __future__ import annotations

import re

import pytest

SUITE = """
import pytest

@pytest.mark.parametrize("n", range(3))
def test_it(n, swarm, evidence):
    print("captured")
    evidence.note("notice", message="a line of ours")
"""

OURS = re.compile(r"\d\d:\d\d( gw\d)?  ")


@pytest.mark.parametrize(
    "how",
    [
        [],
        ["-v"],
        ["-s"],
        ["--capture=sys"],
        ["-n2"],
        ["-n2", "-v"],
        ["-o", "console_output_style=classic"],
    ],
)
def test_they_begin_at_the_left_of_a_line(suite: pytest.Pytester, how: list[str]) -> None:
    suite.makepyfile(SUITE)
    result = suite.runpytest_subprocess(*how)
    result.assert_outcomes(passed=3)
    ours = [line for line in result.outlines if OURS.search(line)]
    assert len([line for line in ours if line.endswith("a line of ours")]) == 3
    assert [line for line in ours if not OURS.match(line)] == []


def test_quiet_is_quiet(suite: pytest.Pytester) -> None:
    suite.makepyfile(SUITE)
    for how in (["-q"], ["-q", "-n2"]):
        result = suite.runpytest_subprocess(*how)
        assert result.ret == pytest.ExitCode.OK
        assert [line for line in result.outlines if OURS.search(line)] == []
        result.stdout.fnmatch_lines(["*Swarm acceptance*", "*report.html"])
