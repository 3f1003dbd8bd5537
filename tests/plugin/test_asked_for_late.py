"""Fixtures of ours that a test asks for while it runs are no less than those in its signature."""

from __future__ import annotations

import pytest

from tests.plugin.pretended import latest, record
from tests.plugin.test_secrets import CANARY

FAILS = f"""
def test_late(request):
    secret = request.getfixturevalue("secret")
    secret.create("db_password", "{CANARY[:9]}" + "{CANARY[9:]}")
    print("out: {CANARY[:9]}" + "{CANARY[9:]}")
    said = "it is {CANARY[:9]}" + "{CANARY[9:]}"
    raise RuntimeError(said)
"""


@pytest.mark.parametrize("beside", ["", "def test_direct(swarm): pass\n"])
def test_a_secret_made_so_is_in_nothing_and_the_failure_in_the_record(
    suite: pytest.Pytester, beside: str
) -> None:
    suite.makepyfile("def test_before(): pass\n" + beside + FAILS)
    result = suite.runpytest_subprocess("-rA")
    assert result.parseoutcomes()["failed"] == 1
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "it is ‹secret db_password›" in result.stdout.str()
    files = [file for file in (suite.path / "reports").rglob("*") if file.is_file()]
    shown = [file.name for file in files if CANARY.encode() in file.read_bytes()]
    # Its own source says what it is: nothing else does.
    assert shown == []
    assert CANARY not in result.stdout.str() + result.stderr.str()
    (error,) = record(suite).of("error")
    assert error.data["message"] == "RuntimeError: it is ‹secret db_password›"
    ended = {e.data["nodeid"].partition("::")[2]: e for e in record(suite).of("test.finished")}
    assert ended["test_late"].data["outcome"] == "failed"


def test_reports_hold_what_ran_before_the_run_began(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        "def test_a(): pass\ndef test_b(request): request.getfixturevalue('swarm')\n"
        "def test_c(): pass\n"
    )
    suite.runpytest_subprocess().assert_outcomes(passed=3)
    junit = (latest(suite) / "junit.xml").read_text(encoding="utf-8")
    page = (latest(suite) / "report.html").read_text(encoding="utf-8")
    for name in ("test_a", "test_b", "test_c"):
        assert junit.count(f'name="{name}"') == 1
        assert f"::{name}" in page
    assert list(suite.path.glob("cluster-*")) == []


def test_what_could_not_be_proven_is_no_pass(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        """
        import pytest
        from pytest_swarmlab import Exercise, not_provable

        exercise = Exercise("9.1", "An exercise", module=__name__)

        @exercise.check("claim", phases=["drill"], title="t", expected="e", hint="h")
        def claim(record):
            return not_provable("nobody can")

        @pytest.mark.exercise(exercise)
        def test_it(request):
            evidence = request.getfixturevalue("evidence")
            with evidence.judged(exercise, "drill"):
                evidence.note("something")
        """
    )
    suite.runpytest_subprocess().assert_outcomes(skipped=1)
    assert [e.data["id"] for e in record(suite).of("exercise.selected")] == ["9.1"]


def test_a_failure_of_somebody_else_s_test_is_none_of_the_lab_alone(
    pytester: pytest.Pytester,
) -> None:
    from tests.plugin.test_session import A_LAB_OF_ITS_OWN

    pytester.makeconftest(A_LAB_OF_ITS_OWN.format(error="HostError"))
    pytester.makepyfile("def test_a(): assert 0\ndef test_b(swarm): pass\n")
    result = pytester.runpytest_subprocess("--swarmlab-cache=cache")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
