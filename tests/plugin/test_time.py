"""Where a run's time went, and what of its record is left when its controller is killed."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from typing import Any

import jsonschema
import pytest

from pytest_swarmlab import cli
from pytest_swarmlab.evidence.merging import whole
from pytest_swarmlab.evidence.record import Record
from tests.plugin.pretended import CONFTEST, FOUR, latest, standing
from tests.plugin.test_interrupted import PATIENCE_S, until
from tests.plugin.test_plugin import SCHEMA
from tests.plugin.test_xdist import EXERCISE

WAITS = """
from pytest_swarmlab.waiting.waiter import done

class Condition:
    name, node = "a thing is there", "worker1"
    def __call__(self): return done(None)

def test_it(swarm, wait): wait(Condition(), within=5)
def test_plain(): pass
def test_late(request): request.getfixturevalue("swarm")
"""


def results(suite: pytest.Pytester) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((latest(suite) / "results.json").read_text(encoding="utf-8"))
    jsonschema.validate(found, json.loads(SCHEMA.read_text(encoding="utf-8")))
    return found


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_each_step_and_each_wait_is_recorded(suite: pytest.Pytester, workers: str) -> None:
    suite.makepyfile(WAITS)
    suite.runpytest_subprocess(workers).assert_outcomes(passed=3)
    record = Record.load(latest(suite) / "events.jsonl")
    steps = [(e.data["nodeid"].rpartition("::")[2], e.data["step"]) for e in record.of("test.step")]
    mine = [step for test, step in steps if test == "test_it"]
    assert mine[:3] == ["setup", "call", "teardown"]
    assert [step for test, step in steps if test == "test_late"] == ["teardown", "over"]
    assert "test_plain" not in {test for test, _ in steps}
    (began,) = record.of("wait.began", condition="a thing is there")
    assert (began.data["node"], began.data["within"]) == ("worker1", 5)
    told = results(suite)["time"]
    assert [w["worker"] for w in told["workers"]] == (
        [""] if workers == "-n0" else sorted({e.worker for e in record if e.worker})
    )
    doings = {block["doing"] for worker in told["workers"] for block in worker["blocks"]}
    assert {"before", "tidy-up"} <= doings
    page = (latest(suite) / "report.html").read_text(encoding="utf-8")
    assert "Where the time went" in page


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_the_end_of_a_run_is_the_last_that_is_recorded(
    suite: pytest.Pytester, workers: str
) -> None:
    suite.makepyfile(WAITS)
    suite.runpytest_subprocess(workers)
    record = Record.load(latest(suite) / "events.jsonl")
    assert record.events[-1].kind == "run.finished"


STAYS = (
    EXERCISE.format(number="8.1")
    + """
def test_waits(swarm):
    import pathlib, time
    pathlib.Path(__file__).with_name("waits").touch()
    time.sleep(120)
"""
)
NOTHING_IS_TAKEN_OVER = """
from pytest_swarmlab.evidence import merging

merging.PERIOD_S = 3600
"""


def test_what_a_killed_controller_did_not_take_over_is_judged_all_the_same(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    suite.makeconftest(CONFTEST + FOUR + NOTHING_IS_TAKEN_OVER)
    suite.makepyfile(test_stays=STAYS)
    with (suite.path / "out").open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-n1"],
            cwd=suite.path, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
        until(suite.path / "waits", process)
        (cluster,) = standing(suite)
        worker = os.pidfd_open(int(cluster.split("-")[1]))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    # Slow ones are ended before they have tidied up; a real cluster then goes with its kernel.
    ended, _, _ = select.select([worker], [], [], PATIENCE_S)
    os.close(worker)
    assert ended, (suite.path / "out").read_text()
    (run,) = [path for path in (suite.path / "reports").iterdir() if not path.is_symlink()]
    assert Record.load(run / "events.jsonl").of("thing") == ()
    assert len(whole(run).of("thing")) == 3
    monkeypatch.chdir(suite.path)
    assert cli.main(["judge", "--exercises=test_stays", str(run)]) == 0
    told = capsys.readouterr().out
    assert "pass          8.1.drill.good" in told
    assert "time: " in told
    del sys.modules["test_stays"]
