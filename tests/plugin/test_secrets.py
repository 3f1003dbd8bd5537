"""Canaries: secrets that a run has seen are in nothing that it wrote or printed."""

from __future__ import annotations

import base64

import pytest

CANARY = "canary-" + "7f3a" * 4

SUITE = """
import logging
import sys

CANARY = "canary-" + "7f3a" * 4


def test_it(swarmlab_run):
    recorder = swarmlab_run.recorder
    recorder.redactor.hide("db_password", CANARY)
    recorder.record(
        "command", node="worker1", argv=["mysql", f"--password={CANARY}"], code=1, seconds=0.1,
        stdout=f"Env: {CANARY}", stderr=f"denied: {CANARY}", title=f"A screenshot with {CANARY}",
    )
    recorder.record("notice", message=f"it is {CANARY}")
    print("to standard output", CANARY)
    print("to standard error", CANARY, file=sys.stderr)
    logging.getLogger("lab").warning("to the log: %s", CANARY)
    said = f"the password is {CANARY}"
    assert said == "nothing"
"""


@pytest.fixture
def result(pytester: pytest.Pytester) -> pytest.RunResult:
    """A run in which a secret turns up everywhere, and whose only test fails on it."""
    pytester.makepyfile(SUITE)
    result = pytester.runpytest_subprocess("--swarmlab-cache=cache", "-rA", "-v")
    result.assert_outcomes(failed=1)
    return result


def test_no_file_of_a_run_holds_a_canary(
    pytester: pytest.Pytester, result: pytest.RunResult
) -> None:
    del result
    forms = [CANARY.encode(), base64.b64encode(CANARY.encode())]
    files = [file for file in (pytester.path / "reports").rglob("*") if file.is_file()]
    assert {file.name for file in files} >= {"report.html", "junit.xml", "events.jsonl"}
    assert [file.name for file in files if any(form in file.read_bytes() for form in forms)] == []
    page = (pytester.path / "reports" / "latest" / "report.html").read_text(encoding="utf-8")
    assert "‹secret db_password›" in page


def test_nothing_that_was_printed_holds_a_canary(result: pytest.RunResult) -> None:
    said = result.stdout.str() + result.stderr.str()
    assert CANARY not in said
    # The message of the assertion is told all the same.
    assert "the password is ‹secret db_password›" in said
