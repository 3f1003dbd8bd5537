"""One run of many workers, as somebody with pytest-xdist meets it."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time

import jsonschema
import pytest

from pytest_swarmlab.evidence.merging import whole
from pytest_swarmlab.judging.again import judge_again
from pytest_swarmlab.judging.catalogue import Catalogue
from tests.plugin.pretended import CONFTEST, FOUR, latest, record, standing
from tests.plugin.test_plugin import SCHEMA
from tests.plugin.test_secrets import CANARY, SUITE
from tests.plugin.test_session import A_LAB_OF_ITS_OWN

EXERCISE = """
import pytest
from pytest_swarmlab import Exercise, failed, passed

exercise = Exercise("{number}", "An exercise", module=__name__)

@exercise.check("good", phases=["drill"], title="A claim", expected="e", hint="h")
def good(record):
    seen = [e.data["what"] for e in record.of("thing")]
    return passed("good") if seen == ["{number}"] * 3 else failed(", ".join(seen))

@exercise.measure(phases=["drill"])
def things(record):
    return {{"things": len(record.of("thing"))}}

@pytest.mark.exercise(exercise)
def test_it(swarm, evidence):
    with evidence.judged(exercise, "drill"):
        for _ in range(3):
            evidence.note("thing", what="{number}")

def test_after(swarm): pass
"""

TWO = {
    f"test_{number.replace('.', '_')}": EXERCISE.format(number=number) for number in ("8.1", "8.2")
}


def ran_where(suite: pytest.Pytester) -> dict[str, str]:
    """Test → the worker that ran it."""
    return {str(e.data["nodeid"]): e.worker for e in record(suite).of("test.finished")}


def test_workers_make_one_run_with_one_record_that_can_be_judged_again(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite.makepyfile(**TWO)
    result = suite.runpytest_subprocess("-n2")
    result.assert_outcomes(passed=4)
    assert result.ret == pytest.ExitCode.OK
    (run,) = [path for path in (suite.path / "reports").iterdir() if not path.is_symlink()]
    assert {path.name for path in run.iterdir()} == {
        "report.html", "results.json", "junit.xml", "events.jsonl", "nodes",
    }  # fmt: skip
    events = record(suite)
    assert [e.seq for e in events] == list(range(len(events.events)))
    assert (events.events[0].kind, events.events[-1].kind) == ("run.started", "run.finished")
    assert {e.worker for e in events.of("cluster.ready")} == {"gw0", "gw1"}
    assert {e.worker for e in events if e.phase} == {"gw0", "gw1"}
    assert len({e.worker for e in events.phase("8.1/drill")}) == 1
    assert [e.data["id"] for e in events.of("exercise.selected")] == ["8.1", "8.2"]
    for worker in ("gw0", "gw1"):
        assert (run / "nodes" / worker / "cluster1" / "manager1.log").is_file()
    results = json.loads((run / "results.json").read_text(encoding="utf-8"))
    jsonschema.validate(results, json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert [(e["id"], e["verdict"]) for e in results["exercises"]] == [
        ("8.1", "pass"),
        ("8.2", "pass"),
    ]
    assert results["exercises"][0]["measurements"] == {"drill": {"things": 3}}
    page = (run / "report.html").read_text(encoding="utf-8")
    assert page.count("2 of 2 checks passed") == 0
    assert page.count("1 of 1 checks passed") == 2
    assert (run / "junit.xml").read_text(encoding="utf-8").count("<testcase") == 4
    assert standing(suite) == []
    monkeypatch.chdir(suite.path)
    out = io.StringIO()
    assert judge_again(run, whole(run), Catalogue(list(TWO)), out) == 0
    assert out.getvalue().count("pass ") == 2
    for module in TWO:
        del sys.modules[module]


def test_it_is_told_how_many_fit_and_each_line_says_whose_it_is(suite: pytest.Pytester) -> None:
    suite.makepyfile(**TWO)
    lines = suite.runpytest_subprocess("-n2").outlines
    assert any(
        re.match(r"\d\d:\d\d  2 workers, .*; 4 fit: this machine has 4 cores", line)
        for line in lines
    )
    assert any(re.match(r"\d\d:\d\d gw[01]  Swarm ready", line) for line in lines)
    assert not any(re.match(r".+\d\d:\d\d gw[01]  ", line) for line in lines)


def test_as_many_workers_start_as_clusters_fit(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite.makepyfile(**TWO)
    suite.makeconftest(f"{CONFTEST}{FOUR}\nslots.memory_mib = lambda: 6_000\n")
    monkeypatch.setenv("PYTEST_XDIST_AUTO_NUM_WORKERS", "3")
    result = suite.runpytest_subprocess("-nauto")
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["*1 worker, each with a cluster of its own; 1 fits: *"])


@pytest.mark.parametrize("how", ["-n5", "--tx=5*popen --dist=loadscope"])
def test_more_than_fit_are_refused_with_the_number_that_does(
    suite: pytest.Pytester, how: str
) -> None:
    suite.makepyfile(**TWO)
    result = suite.runpytest_subprocess(*how.split())
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (said,) = [line for line in result.errlines if line.startswith("ERROR: ")]
    assert "5 workers want 5 clusters side by side and 4 fit: use -n 4 or -n auto (" in said
    assert "INTERNALERROR" not in result.stdout.str()
    assert not (suite.path / "reports").exists()


def test_fixtures_that_need_no_cluster_take_no_place(suite: pytest.Pytester) -> None:
    tests = "".join(f"def test_{n}(wait, evidence): evidence.note('thing')\n" for n in range(6))
    suite.makepyfile(tests)
    suite.runpytest_subprocess("-n5").assert_outcomes(passed=6)
    assert len(record(suite).of("thing")) == 6
    assert record(suite).of("cluster.wanted", "notice") == ()


def test_a_suite_without_clusters_may_have_as_many_as_it_likes(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        "import pytest\n@pytest.mark.parametrize('n', range(8))\ndef test_it(n): pass\n"
    )
    result = suite.runpytest_subprocess("-n5")
    result.assert_outcomes(passed=8)
    assert not (suite.path / "reports").exists()
    result.stdout.no_fnmatch_line("*Swarm acceptance*")


NO_MANAGER = "import pytest\n@pytest.mark.swarm(managers=0)\ndef test_it(swarm): pass\n"
PLAIN = "def test_it(swarm): pass\n"


@pytest.mark.parametrize(
    ("source", "arguments", "said"),
    [
        (NO_MANAGER, (), "at least 1 manager"),
        (PLAIN, ("-m", "exercise_9_9"), "no test of exercise_9_9 is here"),
    ],
)
def test_what_a_worker_refuses_is_said_once(
    suite: pytest.Pytester, source: str, arguments: tuple[str, ...], said: str
) -> None:
    suite.makepyfile(source)
    result = suite.runpytest_subprocess("-n2", *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = [line for line in result.errlines if line.startswith("ERROR: ")]
    assert said in line
    assert not (suite.path / "reports").exists()


def test_tests_of_a_module_that_want_one_cluster_stay_together_in_their_order(
    suite: pytest.Pytester,
) -> None:
    names = "abc"
    module = "import time\n" + "".join(
        f"def test_{n}(swarm): time.sleep(0.1)\ndef test_plain_{n}(): pass\n" for n in names
    )
    grouped = (
        "import pytest\npytestmark = pytest.mark.xdist_group('mine')\ndef test_g(swarm): pass\n"
    )
    suite.makepyfile(
        test_one=module, test_two=module, test_three=module, test_g1=grouped, test_g2=grouped
    )
    suite.runpytest_subprocess("-n3").assert_outcomes(passed=20)
    where = ran_where(suite)
    for name in ("test_one", "test_two", "test_three"):
        tests = [test for test in where if test.startswith(f"{name}.py")]
        assert tests == [f"{name}.py::test_{n}" for n in names]
        assert len({where[test] for test in tests}) == 1
    assert where["test_g1.py::test_g"] == where["test_g2.py::test_g"]


def test_a_worker_gets_what_wants_the_cluster_that_it_has(suite: pytest.Pytester) -> None:
    small = "import pytest\npytestmark = pytest.mark.swarm(managers=1)\n"
    tests = "import time\ndef test_1(swarm): time.sleep(0.2)\ndef test_2(swarm): time.sleep(0.2)\n"
    suite.makepyfile(
        test_a=tests, test_b=small + tests, test_c=tests, test_d=small + tests,
    )  # fmt: skip
    suite.runpytest_subprocess("-n2").assert_outcomes(passed=8)
    assert len(record(suite).of("cluster.ready")) == 2


KILLS = """
import os, signal
def test_1(swarm): pass
def test_2(swarm): os.kill(os.getpid(), signal.SIGKILL)
def test_3(swarm): pass
"""


def test_a_killed_worker_costs_its_test_and_nothing_else(suite: pytest.Pytester) -> None:
    suite.makepyfile(test_kills=KILLS, **TWO)
    result = suite.runpytest_subprocess("-n2")
    result.assert_outcomes(passed=6, failed=1)
    assert result.ret == 6
    (error,) = record(suite).of("error")
    assert error.data["where"] == "test_kills.py::test_2"
    assert error.data["infrastructure"]
    assert re.search(
        "worker 'gw[01]' crashed .* its cluster is gone with it", error.data["message"]
    )
    results = json.loads((latest(suite) / "results.json").read_text(encoding="utf-8"))
    assert [e["verdict"] for e in results["exercises"]] == ["pass", "pass"]
    # What the killed worker itself could not remove; real nodes are ended by the kernel.
    assert len(standing(suite)) == 1


def test_the_first_failure_ends_it_and_the_last_failed_are_run_again(
    suite: pytest.Pytester,
) -> None:
    fails = "def test_1(swarm): assert 0\ndef test_2(swarm): pass\ndef test_3(swarm): pass\n"
    suite.makepyfile(test_fails=fails, **TWO)
    result = suite.runpytest_subprocess("-n2", "-x")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*stopping after 1 failures*", "*1 failed*"])
    assert standing(suite) == []
    assert record(suite).events[-1].kind == "run.finished"
    result = suite.runpytest_subprocess("-n2", "--lf")
    result.assert_outcomes(failed=1)
    assert list(ran_where(suite)) == ["test_fails.py::test_1"]


def test_ctrl_c_leaves_nothing_and_reports_what_was_recorded(suite: pytest.Pytester) -> None:
    waits = "import time\ndef test_it(swarm): time.sleep(60)\n"
    suite.makepyfile(test_w1=waits, test_w2=waits)
    with (suite.path / "out").open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-n2"],
            cwd=suite.path, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
        while len(standing(suite)) < 2:
            assert process.poll() is None, (suite.path / "out").read_text()
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == pytest.ExitCode.INTERRUPTED
    assert standing(suite) == []
    events = record(suite)
    assert len(events.of("stage.done", name="removing the cluster")) == 2
    assert events.events[-1].kind == "run.finished"
    assert (latest(suite) / "report.html").is_file()
    assert not (latest(suite) / "workers").exists()


def test_a_lab_without_machines_ends_it_with_the_code_of_the_lab(suite: pytest.Pytester) -> None:
    suite.makeconftest(A_LAB_OF_ITS_OWN.format(error="HostError") + FOUR)
    test = "def test_it(swarm): pass\n"
    suite.makepyfile(test_1=test, test_2=test)
    result = suite.runpytest_subprocess("-n2")
    assert result.ret == 6
    result.stdout.fnmatch_lines(["*no cluster: no machines today: come back tomorrow*"])


def test_a_test_may_ask_for_a_cluster_while_it_runs(suite: pytest.Pytester) -> None:
    test = "def test_it(request): request.getfixturevalue('swarm')\n"
    suite.makepyfile(test_1=test, test_2="def test_other(): pass\n")
    suite.runpytest_subprocess("-n2").assert_outcomes(passed=2)
    assert list(ran_where(suite)) == ["test_1.py::test_it"]
    assert (latest(suite) / "junit.xml").read_text(encoding="utf-8").count("<testcase") == 2
    page = (latest(suite) / "report.html").read_text(encoding="utf-8")
    assert "test_1.py::test_it" in page
    assert "test_2.py::test_other" in page


def test_an_own_way_to_distribute_is_left_as_it_is(suite: pytest.Pytester) -> None:
    suite.makepyfile(**TWO)
    result = suite.runpytest_subprocess("-n2", "-v", "--dist=worksteal")
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["scheduling tests via WorkStealingScheduling"])


def test_no_secret_of_a_worker_is_in_anything(suite: pytest.Pytester) -> None:
    suite.makepyfile(SUITE)
    # An id is shown before any secret is known: docs/fixtures.md.
    result = suite.runpytest_subprocess("-n2", "-rA", "-v", "-k", "not an_id")
    result.assert_outcomes(failed=5, passed=1, skipped=1, xfailed=1)
    assert CANARY not in result.stdout.str() + result.stderr.str()
    files = [file for file in (suite.path / "reports").rglob("*") if file.is_file()]
    assert [file.name for file in files if CANARY.encode() in file.read_bytes()] == []
