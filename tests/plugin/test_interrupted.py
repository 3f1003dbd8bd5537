"""Ctrl-C: one ends a session promptly and without a trace, a second one changes nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_swarmlab.evidence.record import Record
from tests.plugin.pretended import CONFTEST, FOUR

PATIENCE_S = 600.0
"""What is waited for always comes, on a slow machine late."""

REMOVED_SLOWLY = """
import time
from pathlib import Path
from pytest_swarmlab.swarm import lifecycle

provision = lifecycle.provision

def slowly(*words, **named):
    swarm = provision(*words, **named)
    remove = swarm.machines.stop
    def stop():
        Path("removes").touch()
        while not Path("pressed-again").exists():
            time.sleep(0.02)
        remove()
    swarm.machines.stop = stop
    return swarm

lifecycle.provision = slowly
"""

WAITS = """
import pathlib, time

def wait():
    pathlib.Path("waits").touch()
    time.sleep(60)
"""

UNDOES = (
    WAITS
    + """
def undo(*words):
    pathlib.Path("undone").touch()

def test_it(swarm, stack, faults):
    lab = swarm.lab
    lab.machines.whole = WHOLE
    lab.shell = lambda node, argv: ("rm" in argv and undo(), (0, "", ""))[1]
    lab.machines.power_on = undo
    stack._deployed.append("shop")
    with faults.power_off(swarm.node("worker1")):
        try:
            wait()
        finally:
            swarm.leader().run("docker", "service", "rm", "web")
"""
)

FAILS = (
    WAITS
    + """
import pytest
from pytest_swarmlab.errors import ProviderError

@pytest.fixture
def one(swarm):
    yield
    raise ProviderError("worker1 can't be reached")

@pytest.fixture
def other(one):
    yield
    raise ProviderError("worker2 neither")

def test_it(FIXTURE):
    wait()
"""
)


UNDOES_IN_VAIN = (
    WAITS
    + """
from pytest_swarmlab.errors import ProviderError

def test_it(swarm):
    try:
        wait()
    finally:
        raise ProviderError("worker1 can't be reached")

def test_another(swarm):
    pathlib.Path("went-on").touch()
"""
)


def interrupted(
    suite: pytest.Pytester, *words: str, then: Callable[[int], None] | None = None
) -> str:
    """What a session prints that Ctrl-C ends while its test waits; it must end as interrupted."""
    with (suite.path / "out").open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *words],
            cwd=suite.path, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
        until(suite.path / "waits", process)
        os.killpg(process.pid, signal.SIGINT)
        if then:
            until(suite.path / "removes", process)
            then(process.pid)
            (suite.path / "pressed-again").touch()
        code = process.wait(PATIENCE_S)
    said = (suite.path / "out").read_text()
    assert code == pytest.ExitCode.INTERRUPTED, said
    assert "Traceback" not in said
    assert "INTERNALERROR" not in said
    return said


def until(path: Path, process: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + PATIENCE_S
    while not path.exists():
        assert process.poll() is None, (path.parent / "out").read_text()
        assert time.monotonic() < ends, f"no {path.name}"
        time.sleep(0.02)


def left(suite: pytest.Pytester) -> list[Path]:
    return list(suite.path.glob("cluster-*"))


@pytest.mark.parametrize("workers", ["-n0", "-n1"])
@pytest.mark.parametrize(("keep", "whole"), [(False, True), (True, True), (False, False)])
def test_nothing_is_undone_on_machines_that_go_with_all_that_is_on_them(
    suite: pytest.Pytester, keep: bool, whole: bool, workers: str
) -> None:
    suite.makepyfile(UNDOES.replace("WHOLE", str(whole)))
    said = interrupted(suite, workers, *(["--swarmlab-keep"] if keep else []))
    undoes = keep or not whole
    assert (suite.path / "undone").exists() is undoes
    assert bool(left(suite)) is keep
    goes = "is tidied up" if undoes else "goes as it is"
    assert said.count(f"interrupted: the cluster {goes}, in a moment") == 1
    assert (suite.path / "reports" / "latest" / "report.html").is_file()


@pytest.mark.parametrize("workers", ["-n0", "-n1"])
def test_who_presses_again_changes_nothing(suite: pytest.Pytester, workers: str) -> None:
    suite.makeconftest(CONFTEST + FOUR + REMOVED_SLOWLY)
    suite.makepyfile(WAITS + "def test_it(swarm): wait()\n")
    interrupted(suite, workers, then=lambda group: os.killpg(group, signal.SIGINT))
    assert left(suite) == []
    latest = suite.path / "reports" / "latest"
    assert Record.load(latest / "events.jsonl").events[-1].kind == "run.finished"
    assert (latest / "report.html").is_file()


def test_a_cluster_that_is_being_removed_is_removed_whole(suite: pytest.Pytester) -> None:
    suite.makeconftest(CONFTEST + FOUR + REMOVED_SLOWLY)
    suite.makepyfile("def test_it(swarm): open('waits', 'w').close()\n")
    with (suite.path / "out").open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest"],
            cwd=suite.path, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
        until(suite.path / "removes", process)
        os.killpg(process.pid, signal.SIGINT)
        (suite.path / "pressed-again").touch()
        assert process.wait(PATIENCE_S) == pytest.ExitCode.INTERRUPTED
    assert "Traceback" not in (suite.path / "out").read_text()
    assert left(suite) == []


@pytest.mark.parametrize(("fixture", "names"), [("one", ["1"]), ("other", ["1", "2"])])
def test_what_a_fixture_of_the_suite_can_not_undo_is_told_in_a_sentence(
    suite: pytest.Pytester, fixture: str, names: list[str]
) -> None:
    suite.makepyfile(FAILS.replace("FIXTURE", fixture))
    said = interrupted(suite)
    for name in names:
        assert f"not undone: ProviderError: worker{name} " in said
    assert "KeyboardInterrupt" in said
    assert left(suite) == []


def test_a_session_ends_also_where_a_test_could_not_undo_what_it_did(
    suite: pytest.Pytester,
) -> None:
    suite.makepyfile(UNDOES_IN_VAIN)
    said = interrupted(suite)
    assert "ProviderError: worker1 can't be reached" in said
    assert not (suite.path / "went-on").exists()
    assert left(suite) == []
