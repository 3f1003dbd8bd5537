"""A test that met nothing but a named finding may be repeated once; both runs are shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.plugin.pretended import record

SUITE = """
from pathlib import Path
import pytest
from pytest_swarmlab import Exercise, failed, passed

exercise = Exercise("8.1", "An exercise", module=__name__)

@exercise.check("kept", phases=["drill"], title="A claim", expected="e", hint="h")
def kept(record):
    seen = record.need("seen", "nobody looked").data["what"]
    return passed(seen) if seen == "good" else failed(seen, finding="{finding}")

@exercise.check("else", phases=["drill"], title="Another claim", expected="e", hint="h")
def other(record):
    return failed("else") if "else" in record.need("seen", "").data["what"] else passed("e")

@pytest.mark.exercise(exercise)
def test_it(swarm, evidence):
    tries = Path(__file__).with_name("tries")
    number = len(tries.read_text()) if tries.exists() else 0
    tries.write_text("x" * (number + 1))
    with evidence.judged(exercise, "drill"):
        evidence.note("seen", what={outcomes}[number])

def test_after(swarm): pass
"""

REPEAT = ("--reruns=1", "--only-rerun=^FindingSeen:")


@pytest.fixture
def suite(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """With pytest-rerunfailures, which repeats."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:randomly -p no:timeout")
    return suite


def verdict(suite: pytest.Pytester) -> str:
    path: Path = suite.path / "reports" / "latest" / "results.json"
    found: str = json.loads(path.read_text(encoding="utf-8"))["exercises"][0]["verdict"]
    return found


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_it_is_repeated_once_on_a_new_cluster_and_both_runs_are_shown(
    suite: pytest.Pytester, workers: str
) -> None:
    suite.makepyfile(SUITE.format(finding="two-identities", outcomes=["bad", "good"]))
    result = suite.runpytest_subprocess(workers, *REPEAT)
    assert result.parseoutcomes() == {"passed": 2, "rerun": 1}
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        [
            "*a finding about Swarm: two-identities*",
            "exercise 8.1: fail (1 fail, 1 pass)",
            "finding two-identities (docs/findings.md) was seen in 8.1/drill; *::test_it was"
            " repeated on a new cluster: passed",
        ]
    )
    assert verdict(suite) == "fail"
    run = record(suite)
    # The cluster on which it was seen serves nobody else.
    assert len(run.of("cluster.ready")) == 2
    assert [e.data["outcome"] for e in run.of("test.finished")] == ["failed", "passed", "passed"]
    assert [e.data["verdict"] for e in run.of("check")] == ["fail", "pass", "pass", "pass"]
    page = (suite.path / "reports" / "latest" / "report.html").read_text(encoding="utf-8")
    assert "was repeated on a new cluster: passed" in page
    assert not list(suite.path.glob("cluster-*"))


def test_what_is_seen_twice_fails(suite: pytest.Pytester) -> None:
    suite.makepyfile(SUITE.format(finding="two-identities", outcomes=["bad", "bad"]))
    result = suite.runpytest_subprocess("-n0", *REPEAT)
    assert result.parseoutcomes() == {"passed": 1, "rerun": 1, "failed": 1}
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["finding *::test_it was repeated on a new cluster: failed"])


@pytest.mark.parametrize(
    ("finding", "outcome"), [("", "bad"), ("two-identities", "else")], ids=["unnamed", "and more"]
)
def test_what_is_not_exactly_a_named_finding_is_not_repeated(
    suite: pytest.Pytester, finding: str, outcome: str
) -> None:
    suite.makepyfile(SUITE.format(finding=finding, outcomes=[outcome, "good"]))
    result = suite.runpytest_subprocess("-n0", *REPEAT)
    assert result.parseoutcomes() == {"failed": 1, "passed": 1}
    assert len(record(suite).of("cluster.ready")) == 1


def test_without_being_asked_to_nothing_is_repeated(suite: pytest.Pytester) -> None:
    suite.makepyfile(SUITE.format(finding="two-identities", outcomes=["bad", "good"]))
    result = suite.runpytest_subprocess("-n0")
    assert result.parseoutcomes() == {"failed": 1, "passed": 1}
    result.stdout.fnmatch_lines(["finding two-identities *::test_it was not repeated"])
