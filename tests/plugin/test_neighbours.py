"""Beside other plugins: they do what they do, and a run of ours is whole."""

from __future__ import annotations

import json
from importlib.util import find_spec

import pytest

from tests.plugin.pretended import FOUR, latest, record, standing
from tests.plugin.test_secrets import CANARY
from tests.plugin.test_session import A_LAB_OF_ITS_OWN
from tests.plugin.test_xdist import EXERCISE


@pytest.fixture
def suite(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """The suite, with all the plugins that are here."""
    monkeypatch.delenv("PYTEST_ADDOPTS")
    return suite


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_in_a_random_order_each_topology_has_one_cluster_all_the_same(
    suite: pytest.Pytester, workers: str
) -> None:
    tests = "def test_{n}_{name}(swarm): pass\n@pytest.mark.swarm(managers=1)\n"
    tests += "def test_{n}_small_{name}(swarm): pass\n"
    suite.makepyfile(
        **{
            f"test_{n}": "import pytest\n"
            + "".join(tests.format(n=n, name=name) for name in ("x", "y"))
            for n in "abc"
        }
    )
    result = suite.runpytest_subprocess(workers, "-p", "randomly", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=12)
    result.stdout.fnmatch_lines(["Using --randomly-seed=*"])
    clusters = [(e.worker, e.data["topology"]["name"]) for e in record(suite).of("cluster.ready")]
    assert len(set(clusters)) == len(clusters) <= (2 if workers == "-n0" else 4)
    assert standing(suite) == []


FLAKY = """
import pytest
from pathlib import Path

def test_flaky(swarm):
    tried = Path(__file__).with_name("tried")
    before, _ = tried.exists(), tried.touch()
    assert before
"""


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_a_test_that_is_run_again_is_recorded_each_time(
    suite: pytest.Pytester, workers: str
) -> None:
    suite.makepyfile(FLAKY)
    result = suite.runpytest_subprocess(workers, "--reruns=2")
    assert result.parseoutcomes() == {"passed": 1, "rerun": 1}
    assert result.ret == pytest.ExitCode.OK
    assert [e.data["outcome"] for e in record(suite).of("test.finished")] == ["failed", "passed"]
    assert standing(suite) == []


TOO_FEW_AT_FIRST = """
from pathlib import Path

def how_many():
    tried = Path(__file__).with_name("tried")
    before, _ = tried.exists(), tried.touch()
    return 3 if before else 2
"""


def test_what_a_check_found_is_not_taken_back_by_another_try(suite: pytest.Pytester) -> None:
    exercise = EXERCISE.format(number="8.1").replace("range(3)", "range(how_many())")
    suite.makepyfile(TOO_FEW_AT_FIRST + exercise)
    result = suite.runpytest_subprocess("-n0", "--reruns=1")
    assert result.parseoutcomes() == {"passed": 2, "rerun": 1}
    results = json.loads((latest(suite) / "results.json").read_text(encoding="utf-8"))
    assert results["exercises"][0]["verdict"] == "fail"
    assert [e.data["verdict"] for e in record(suite).of("check")] == ["fail", "pass"]


def test_a_lab_without_machines_is_not_asked_again(suite: pytest.Pytester) -> None:
    suite.makeconftest(A_LAB_OF_ITS_OWN.format(error="HostError") + FOUR)
    suite.makepyfile("def test_a(swarm): pass\ndef test_b(swarm): pass\n")
    result = suite.runpytest_subprocess("-n0", "--reruns=2")
    assert "INTERNALERROR" not in result.stdout.str()
    assert result.ret == 6


SLOW = """
import pytest
import time

@pytest.mark.timeout(1, method="{method}", func_only=True)
def test_slow(swarm): time.sleep(600)
def test_next(swarm): pass
"""
"""The other one, and what a cluster takes, may need as long as this machine needs."""


def test_a_test_that_takes_too_long_fails_and_the_rest_goes_on(suite: pytest.Pytester) -> None:
    suite.makepyfile(SLOW.format(method="signal"))
    result = suite.runpytest_subprocess("-n0")
    result.assert_outcomes(failed=1, passed=1)
    (error,) = [e for e in record(suite).of("test.finished") if e.data["outcome"] == "failed"]
    assert "Timeout" in error.data["message"]
    assert standing(suite) == []


def test_a_worker_that_timeout_ends_is_replaced(suite: pytest.Pytester) -> None:
    suite.makepyfile(SLOW.format(method="thread"))
    result = suite.runpytest_subprocess("-n2")
    result.assert_outcomes(failed=1, passed=1)
    (error,) = record(suite).of("error")
    assert "crashed while running" in error.data["message"]
    assert (latest(suite) / "report.html").is_file()


def test_an_own_page_and_an_own_junit_file_of_all_workers(suite: pytest.Pytester) -> None:
    suite.makepyfile(test_a=EXERCISE.format(number="8.1"), test_b="def test_other(swarm): pass\n")
    result = suite.runpytest_subprocess(
        "-n2", "--html=mine.html", "--self-contained-html", "--junitxml=mine.xml"
    )
    result.assert_outcomes(passed=3)
    for mine, copy in (("mine.html", "report.html"), ("mine.xml", "junit.xml")):
        assert (suite.path / mine).read_bytes() == (latest(suite) / copy).read_bytes()
    assert 'class="swarm"' in (suite.path / "mine.html").read_text(encoding="utf-8")


def test_all_of_them_at_once(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        test_flaky=FLAKY,
        test_slow=SLOW.format(method="signal"),
        test_a=EXERCISE.format(number="8.1"),
    )
    result = suite.runpytest_subprocess(
        "-n2", "-p", "randomly", "--reruns=1", "--timeout=600", "--html=mine.html",
    )  # fmt: skip
    # The slow one is run twice, and the flaky one.
    assert result.parseoutcomes() == {"passed": 4, "failed": 1, "rerun": 2}
    assert len(record(suite).of("test.finished")) == 7
    page = (suite.path / "mine.html").read_bytes()
    assert page == (latest(suite) / "report.html").read_bytes()
    results = json.loads((latest(suite) / "results.json").read_text(encoding="utf-8"))
    assert results["exercises"][0]["verdict"] == "pass"
    assert standing(suite) == []


def beside(module: str) -> pytest.MarkDecorator:
    """Only where that plugin is installed: `make neighbours` has all of them."""
    missing = find_spec(module) is None
    return pytest.mark.skipif(missing, reason=f"{module} is not here: make neighbours has it")


ASYNCHRONOUS = f"""
import asyncio
import pytest
import pytest_asyncio

pytestmark = pytest.mark.asyncio

@pytest_asyncio.fixture
async def site(swarm, secret):
    secret.create("db_password", "{CANARY[:9]}" + "{CANARY[9:]}")
    await asyncio.sleep(0)
    yield swarm
    await asyncio.sleep(0)

async def test_good(site, evidence):
    await asyncio.sleep(0.1)
    evidence.note("thing")

async def test_bad(site):
    await asyncio.sleep(0)
    raise RuntimeError("{CANARY[:9]}" + "{CANARY[9:]}")

async def test_plain(): await asyncio.sleep(0)
"""


@beside("pytest_asyncio")
@pytest.mark.parametrize("how", ["-n0", "-n2", "-n0 -o asyncio_mode=auto"])
def test_asynchronous_tests_and_fixtures_have_ours(suite: pytest.Pytester, how: str) -> None:
    suite.makepyfile(ASYNCHRONOUS)
    result = suite.runpytest_subprocess(*how.split())
    assert result.parseoutcomes() == {"passed": 2, "failed": 1}
    assert CANARY not in result.stdout.str() + result.stderr.str()
    assert len(record(suite).of("thing")) == 1
    outcomes = {e.data["nodeid"].rpartition("::")[2]: e for e in record(suite).of("test.finished")}
    assert outcomes["test_bad"].data["message"] == "RuntimeError: ‹secret db_password›"
    assert standing(suite) == []


@beside("pytest_playwright")
@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_a_browser_s_plugin_keeps_its_options_and_its_directory(
    suite: pytest.Pytester, workers: str
) -> None:
    suite.makepyfile(
        "def test_site(swarm, base_url, browser_name):\n"
        "    assert (base_url, browser_name) == ('http://192.168.56.10', 'firefox')\n"
    )
    result = suite.runpytest_subprocess(
        workers, "--browser=firefox", "--screenshot=on", "--output=pictures",
        "--base-url=http://192.168.56.10",
    )  # fmt: skip
    result.assert_outcomes(passed=1)
    assert (latest(suite) / "report.html").is_file()
    assert standing(suite) == []
