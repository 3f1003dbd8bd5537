"""A saved run is judged again from its record alone, by today's checks."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from pytest_swarmlab.errors import ConfigError
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.judging.again import judge_again

DECLARES = """
from pytest_swarmlab import Exercise, failed, passed

exercise = Exercise("9.9", "An exercise", module=__name__)

@exercise.check("claim", phases=["drill"], title="t", expected="e", hint="h")
def claim(record):
    lost = [e for e in record.of("request") if e.data["error"]]
    return failed(f"{len(lost)} lost") if lost else passed("none lost")
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of a run in a project that declares an exercise."""
    (tmp_path / "lab_of_mine.py").write_text(DECLARES, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "lab_of_mine", raising=False)
    return tmp_path


def record(run: Path, *errors: str | None, module: str = "lab_of_mine") -> None:
    recorder = Recorder(run / "events.jsonl")
    recorder.record("exercise.selected", id="9.9", module=module)
    if errors:
        with recorder.phase("9.9/drill"):
            for error in errors:
                recorder.record("request", error=error)
    recorder.close()


def test_a_run_whose_checks_all_pass_gives_zero(run: Path) -> None:
    record(run, None, None)
    out = io.StringIO()
    assert judge_again(run, out) == 0
    assert out.getvalue() == "pass          9.9.drill.claim: none lost\n"


def test_a_run_with_a_failed_check_gives_one_and_says_what_was_seen(run: Path) -> None:
    record(run, None, "timeout")
    out = io.StringIO()
    assert judge_again(run, out) == 1
    assert out.getvalue() == "fail          9.9.drill.claim: 1 lost\n"


def test_a_run_that_never_got_so_far_is_no_pass(run: Path) -> None:
    record(run)
    out = io.StringIO()
    assert judge_again(run, out) == 1
    assert out.getvalue().startswith("unknown       9.9.drill.claim: nothing was recorded")


@pytest.mark.parametrize("module", ["gone_with_the_wind", "json", ""])
def test_an_exercise_that_is_not_here_is_named_with_where_it_was(run: Path, module: str) -> None:
    record(run, None, module=module)
    with pytest.raises(ConfigError, match=rf"exercise 9\.9 is declared in '{module}', which can't"):
        judge_again(run, io.StringIO())


def test_a_run_that_was_to_judge_nothing_is_said_so(run: Path) -> None:
    Recorder(run / "events.jsonl").close()
    with pytest.raises(ConfigError, match="names no exercise"):
        judge_again(run, io.StringIO())


def test_the_path_of_modules_is_left_as_it_was(run: Path) -> None:
    import sys

    record(run, None)
    before = list(sys.path)
    judge_again(run, io.StringIO())
    assert sys.path == before
