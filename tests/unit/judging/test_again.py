"""A saved run is judged again from its record alone, by today's checks."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_swarmlab.errors import ConfigError
from pytest_swarmlab.evidence.merging import whole
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.judging.again import judge_again
from pytest_swarmlab.judging.catalogue import Catalogue

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
    """The directory of a run whose exercise a module declares, for whoever names that module."""
    (tmp_path / "lab_of_mine.py").write_text(DECLARES, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "lab_of_mine", raising=False)
    return tmp_path


def judged(run: Path, *modules: str) -> tuple[int, str]:
    """Exit code and output."""
    out = io.StringIO()
    return judge_again(run, whole(run), Catalogue(modules or ("lab_of_mine",)), out), out.getvalue()


def record(run: Path, *errors: str | None, module: Any = "lab_of_mine") -> None:
    recorder = Recorder(run / "events.jsonl")
    recorder.record("exercise.selected", id="9.9", module=module)
    if errors:
        with recorder.phase("9.9/drill"):
            for error in errors:
                recorder.record("request", error=error)
    recorder.close()


def test_a_run_whose_checks_all_pass_gives_zero(run: Path) -> None:
    record(run, None, None)
    assert judged(run) == (0, "pass          9.9.drill.claim: none lost\n")


def test_a_run_with_a_failed_check_gives_one_and_says_what_was_seen(run: Path) -> None:
    record(run, None, "timeout")
    assert judged(run) == (1, "fail          9.9.drill.claim: 1 lost\n")


def test_a_run_that_never_got_so_far_is_no_pass(run: Path) -> None:
    record(run)
    code, said = judged(run)
    assert code == 1
    assert said.startswith("unknown       9.9.drill.claim: nothing was recorded")


def test_an_exercise_that_was_selected_twice_is_judged_once(run: Path) -> None:
    recorder = Recorder(run / "events.jsonl")
    for _ in range(2):
        recorder.record("exercise.selected", id="9.9", module="lab_of_mine")
    recorder.close()
    assert len(judged(run)[1].splitlines()) == 1


@pytest.mark.parametrize("module", ["lab_of_mine", "booby_trap", "os", "", None, ["x"], 7])
def test_nothing_that_a_record_names_is_imported(run: Path, module: Any) -> None:
    (run / "booby_trap.py").write_text(
        "from pathlib import Path\nPath('sprung').touch()\n" + DECLARES, encoding="utf-8"
    )
    record(run, None, module=module)
    known = set(sys.modules)
    with pytest.raises(ConfigError, match=r"exercise 9\.9 is not installed here: there are 2\.1, "):
        judge_again(run, whole(run), Catalogue(), io.StringIO())
    assert not (run / "sprung").exists()
    assert not {"lab_of_mine", "booby_trap"} & (set(sys.modules) - known)


@pytest.mark.parametrize("module", ["tests.exercises.exercise_2_3.verify", "gone.with.the.wind"])
def test_a_record_of_an_earlier_version_is_judged_by_its_exercise_s_id(
    tmp_path: Path, module: str
) -> None:
    recorder = Recorder(tmp_path / "events.jsonl")
    recorder.record("exercise.selected", id="2.3", title="Volumes", module=module)
    with recorder.phase("2.3/literal"):
        said = "Error: Database is uninitialized and superuser password is not specified."
        recorder.record("container", said=said, exit_code=1, error="")
    recorder.close()
    out = io.StringIO()
    assert judge_again(tmp_path, whole(tmp_path), Catalogue(), out) == 1
    first, *others = out.getvalue().splitlines()
    assert first.startswith("pass          2.3.literal.refused-without-a-password: exit code 1")
    assert {line.split()[0] for line in others} == {"unknown"}


@pytest.mark.parametrize("id_", [None, ["2.3"], {"2.3": 1}, 2.3, "2.3\x1b[2J", "x" * 5000, ""])
def test_an_id_that_is_none_is_a_sentence(tmp_path: Path, id_: Any) -> None:
    recorder = Recorder(tmp_path / "events.jsonl")
    recorder.record("exercise.selected", id=id_)
    recorder.close()
    out = io.StringIO()
    if id_ == 2.3:
        assert judge_again(tmp_path, whole(tmp_path), Catalogue(), out) == 1
        return
    with pytest.raises(ConfigError, match="is not installed here") as refusal:
        judge_again(tmp_path, whole(tmp_path), Catalogue(), out)
    assert "\x1b" not in str(refusal.value)
    assert len(str(refusal.value)) < 1000


def test_a_run_that_was_to_judge_nothing_is_said_so(run: Path) -> None:
    Recorder(run / "events.jsonl").close()
    with pytest.raises(ConfigError, match="names no exercise"):
        judged(run)


def test_the_path_of_modules_is_left_as_it_was(run: Path) -> None:
    record(run, None)
    before = list(sys.path)
    judged(run)
    assert sys.path == before
