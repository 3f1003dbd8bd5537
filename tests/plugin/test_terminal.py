"""Lines of ours among pytest's own at the terminal."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys

import pytest

from tests.unit.reporting.test_live import Monitor

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


def on_a_terminal(suite: pytest.Pytester, *arguments: str) -> tuple[str, Monitor]:
    """What was written to a terminal of 100 columns, and what then stood on it."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "100", "LINES": "50", "TERM": "xterm-256color"}
    command = [sys.executable, "-m", "pytest", "--color=no", *arguments]
    process = subprocess.Popen(
        command, cwd=suite.path, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    written = b""
    try:
        while part := os.read(ours, 65536):
            written += part
    except OSError:
        pass  # So ends a terminal to which nobody writes any more.
    finally:
        os.close(ours)
    assert process.wait() == pytest.ExitCode.OK, written
    monitor = Monitor()
    monitor.write(written.decode())
    return written.decode(), monitor


SLOWLY = """
import time
import pytest

@pytest.mark.parametrize("n", range(3))
def test_it(n, swarm, evidence):
    evidence.note("stage.started", name="a line of ours")
    time.sleep(0.7)
    if n == 1:
        evidence.note("notice", message="to be read later")
"""


@pytest.mark.parametrize("how", [[], ["-v"], ["-n2"]])
def test_on_a_terminal_lines_are_renewed_below_pytest_s_own(
    suite: pytest.Pytester, how: list[str]
) -> None:
    suite.makepyfile(SLOWLY)
    written, monitor = on_a_terminal(suite, *how)
    assert "a line of ours …" in written
    shown = "\n".join(monitor.shown())
    assert "a line of ours" not in shown
    stays = [line for line in monitor.shown() if "to be read later" in line]
    assert len([line for line in stays if OURS.match(line)]) == 1
    assert "\x1b" not in shown
    assert re.search(r"^=+ 3 passed in ", shown, re.MULTILINE)
    if how == ["-v"]:
        assert len(re.findall(r"^test_\S+::test_it\[\d\] PASSED", shown, re.MULTILINE)) == 3


@pytest.mark.parametrize(
    ("how", "plain"),
    [
        (["--swarmlab-progress=plain"], True),
        (["--swarmlab-progress=live", "-s"], True),
        (["--swarmlab-progress=off"], False),
        (["--swarmlab-progress=live", "-q"], False),
    ],
)
def test_they_are_not_where_something_else_is_wanted(
    suite: pytest.Pytester, how: list[str], plain: bool
) -> None:
    suite.makepyfile(SLOWLY)
    written, monitor = on_a_terminal(suite, *how)
    assert "\x1b[J" not in written
    ours = [line for line in monitor.shown() if OURS.match(line) and "a line of ours" in line]
    assert len(ours) == (3 if plain else 0)


@pytest.mark.parametrize("how", ["live", "plain", "auto"])
def test_where_no_terminal_is_lines_are_plain(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    suite.makepyfile(SUITE)
    monkeypatch.setenv("SWARMLAB_PROGRESS", how)
    result = suite.runpytest_subprocess()
    assert len([line for line in result.outlines if line.endswith("a line of ours")]) == 3
    assert "\x1b" not in result.stdout.str()


def test_off_in_the_ini_file_tells_nothing(suite: pytest.Pytester) -> None:
    suite.makepyfile(SUITE)
    suite.makeini("[pytest]\nswarmlab_progress = off\n")
    result = suite.runpytest_subprocess()
    assert [line for line in result.outlines if OURS.search(line)] == []
    result.stdout.fnmatch_lines(["*Swarm acceptance*"])
