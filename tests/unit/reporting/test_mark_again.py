"""A saved run is marked from its record, and the same record always gets the same mark."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_swarmlab import cli
from pytest_swarmlab.errors import ConfigError
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.judging.catalogue import Catalogue
from pytest_swarmlab.marking import combining
from pytest_swarmlab.reporting.mark_again import mark_again
from tests.unit.judging.test_again import DECLARES
from tests.unit.marking.rubrics import item, table
from tests.unit.marking.submissions import answers, complete
from tests.unit.reporting.test_results import valid

OWN = """
from pytest_swarmlab import failed, passed
from pytest_swarmlab.marking.own import OwnChecks

checks = OwnChecks()

@checks.check("many", phase="9.9/drill", title="Many", expected="2", hint="Ask more.")
def many(record):
    seen = len(record.of("request"))
    return passed(str(seen)) if seen >= 2 else failed(str(seen))
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of a run in a project that declares an exercise, and a rubric for it."""
    (tmp_path / "lab_of_mine.py").write_text(DECLARES, encoding="utf-8")
    (tmp_path / "ours.py").write_text(OWN, encoding="utf-8")
    rubric(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "lab_of_mine", raising=False)
    return tmp_path


def marked(*words: Any, rubric: Path | None = None, **options: Any) -> int:
    chosen, catalogue = combining.load(rubric), Catalogue(["lab_of_mine"])
    return mark_again(*words, chosen=chosen, catalogue=catalogue, **options)


def rubric(tmp_path: Path, **more: Any) -> Path:
    content = table(
        one={"claim": item("9.9.drill.claim"), "many": item("own.many")},
        two={"right": item("answer.2.1.algorithm")},
    )
    path = tmp_path / "ours.yml"
    path.write_text(yaml.safe_dump(content | {"python": ["ours.py"]} | more), encoding="utf-8")
    return path


def record(run: Path, *errors: str | None) -> None:
    recorder = Recorder(run / "events.jsonl")
    recorder.record(
        "exercise.selected", id="9.9", title="t", module="lab_of_mine", titles={}, checks=[]
    )
    with recorder.phase("9.9/drill"):
        for error in errors:
            recorder.record("request", node="n", sent=1.0, seconds=0.1, status=200, error=error)
    recorder.close()


def test_points_are_earned_and_lost_by_the_record_alone(run: Path) -> None:
    record(run, None, "timeout")
    out = io.StringIO()
    assert marked(run, out, rubric=run / "ours.yml") == 1
    results = valid(json.loads((run / "mark/results.json").read_text("utf-8")))
    assert results["mark"] == {"earned": 25, "of": 100, "ungraded": 50}
    assert "-25  one: t (9.9.drill.claim)" in out.getvalue()
    assert "2 requests of clients of n, at 00:00" in out.getvalue()
    assert "no submission was given" in out.getvalue()
    assert (run / "mark/junit.xml").is_file()
    assert "25 of 100 points, 50 ungraded" in (run / "mark/report.html").read_text("utf-8")


def test_with_all_passed_and_something_ungraded_the_code_is_6(run: Path) -> None:
    record(run, None, None)
    assert marked(run, io.StringIO(), rubric=run / "ours.yml") == 6


def test_with_a_submission_all_can_be_earned(run: Path, tmp_path: Path) -> None:
    record(run, None, None)
    handed = complete(tmp_path / "handed")
    assert marked(run, io.StringIO(), rubric=run / "ours.yml", submission=handed) == 0
    answers(handed, algorithm="paxos")
    assert marked(run, io.StringIO(), rubric=run / "ours.yml", submission=handed) == 1


def test_a_submission_of_another_lab_is_ungraded(run: Path, tmp_path: Path) -> None:
    record(run, None, None)
    handed = complete(tmp_path / "handed")
    (handed / "swarmlab.yml").write_text("lab: lab-01\n", "utf-8")
    out = io.StringIO()
    assert marked(run, out, rubric=run / "ours.yml", submission=handed) == 6
    assert "lab is 'lab-01', not the lab of this rubric" in out.getvalue()


def test_twice_is_the_same(run: Path) -> None:
    record(run, None, "timeout", None)
    found = []
    for _ in range(2):
        marked(run, io.StringIO(), rubric=run / "ours.yml")
        found.append((run / "mark/results.json").read_bytes())
    assert found[0] == found[1]


def test_by_the_labs_rubric_what_no_drill_has_shown_is_ungraded(run: Path) -> None:
    record(run, None)
    out = io.StringIO()
    assert marked(run, out) == 6
    assert "Total                         0 of 100   100 ungraded" in out.getvalue()


def test_nothing_of_the_run_is_written_over(run: Path) -> None:
    record(run, None)
    for name in ("results.json", "report.html"):
        (run / name).write_text("the run's own")
    marked(run, io.StringIO(), rubric=run / "ours.yml")
    assert (
        (run / "results.json").read_text() == (run / "report.html").read_text() == "the run's own"
    )


def test_a_deadline_counts_when_the_teacher_says_when(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(run, None, None)
    content = table(one={"late": item("document.in-time")})
    content["deadline"] = "2026-12-18T23:59+01:00"
    (run / "ours.yml").write_text(yaml.safe_dump(content), "utf-8")
    handed = complete(tmp_path / "handed")
    asked = [
        "mark",
        str(handed),
        "--exercises=lab_of_mine",
        "--record",
        str(run),
        "--rubric",
        str(run / "ours.yml"),
    ]
    assert cli.main(asked) == 6
    assert cli.main([*asked, "--handed-in", "2026-12-18T23:59+01:00"]) == 0
    assert cli.main([*asked, "--handed-in", "2026-12-19T00:01+01:00"]) == 1
    assert "handed in 2026-12-18 23:01 UTC" in capsys.readouterr().out
    for wrong in ("2026-12-19T00:01", "yesterday"):
        with pytest.raises(SystemExit):
            cli.main([*asked, "--handed-in", wrong])


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda run: (run / "events.jsonl").unlink(), "cannot be read"),
        (lambda run: (run / "events.jsonl").write_text(""), "is empty: nothing can be marked"),
        (lambda run: (run / "events.jsonl").write_text("GARBAGE"), "nothing can be marked"),
        (lambda run: (run / "ours.yml").write_text("a: ["), "is not valid YAML"),
        (lambda run: (run / "ours.py").write_text("checks = 1"), "has no `checks = OwnChecks()`"),
        (lambda run: (run / "mark").write_text("x"), "the mark can't be written to"),
        (
            lambda run: (run / "events.jsonl").write_text(
                (run / "events.jsonl").read_text().replace('"title"', '"titel"')
            ),
            "names an exercise without its checks (event 0): no run writes that",
        ),
    ],
)
def test_what_can_not_be_used_is_told(run: Path, edit: Any, said: str) -> None:
    record(run, None)
    edit(run)
    with pytest.raises(ConfigError, match=r".") as told:
        marked(run, io.StringIO(), rubric=run / "ours.yml")
    assert said in str(told.value)


def test_a_drill_that_its_exercise_does_not_have_is_told(run: Path) -> None:
    record(run, None)
    content = table(one={"claim": item("9.9.drill.cliam")})
    (run / "ours.yml").write_text(yaml.safe_dump(content), "utf-8")
    with pytest.raises(ConfigError, match=r"did you mean '9\.9\.drill\.claim'\?"):
        marked(run, io.StringIO(), rubric=run / "ours.yml")


def test_the_commands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["new-submission", "my work"]) == 0
    assert "swarmlab check 'my work'" in capsys.readouterr().out
    assert cli.main(["new-submission", "my work"]) == 2
    assert "my work is not empty" in capsys.readouterr().err
    assert cli.main(["check", "my work"]) == 1
    out = capsys.readouterr().out
    assert "missing   stacks/wordpress-stack.yml: Stack YAML fonctionnelle" in out
    assert out.endswith("0 of 30 deliverables exist, 0 of 44 questions are answered\n")
    complete(tmp_path / "handed")
    assert cli.main(["check", "handed"]) == 0
    assert capsys.readouterr().out.startswith("30 of 30 deliverables exist, 44 of 44")
    assert cli.main(["check", "nowhere"]) == 2
    assert "nowhere can't be read (No such file" in capsys.readouterr().err
