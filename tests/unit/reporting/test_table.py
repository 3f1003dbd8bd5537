"""The README says of every provider what runs have shown, and no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_swarmlab import cli
from pytest_swarmlab.reporting.table import Run, markdown

ROOT = Path(__file__).parents[3]
BEGIN, END = "<!-- what was proven where -->\n", "<!-- end -->"


def run(provider: str, *verdicts: str, kernel: str = "6.12", exercise: str = "2.2") -> Run:
    checks = [{"id": str(n), "verdict": v, "observed": f"why {v}"} for n, v in enumerate(verdicts)]
    exercises = [{"id": exercise, "checks": checks}]
    return Run.of({"provider": provider, "kernel": kernel, "exercises": exercises})


@pytest.mark.parametrize(
    ("verdicts", "cell"),
    [
        (["pass", "pass"], "proven (2 checks)"),
        (["pass", "not_provable"], "partly (1 of 2) [1]"),
        (["not_provable"], "not provable [1]"),
        (["pass", "fail"], "**not shown** (1 of 2)"),
        (["pass", "unknown"], "**not shown** (1 of 2)"),
        (["not_provable", "unknown"], "**not shown** (0 of 2) [1]"),
        ([], "**not shown** (0 of 0)"),
    ],
)
def test_a_cell_claims_what_the_checks_show(verdicts: list[str], cell: str) -> None:
    assert f"| `uml`, 6.12 | {cell} |" in markdown([run("uml", *verdicts)])


def test_reasons_are_told_once_for_all_runs() -> None:
    table = markdown([run("dind", "not_provable"), run("inventory", "pass", "not_provable")])
    assert table.count("why not_provable") == 1
    assert table.endswith("\n1. why not_provable\n")


def test_each_thing_that_is_lacking_is_told_by_itself() -> None:
    checks = [
        {"id": told, "verdict": "not_provable", "observed": told} for told in ("no A; no B", "no B")
    ]
    exercises = [{"id": "2.2", "checks": checks}]
    table = markdown([Run.of({"provider": "dind", "kernel": "6.12", "exercises": exercises})])
    assert "not provable [1, 2] |" in table
    assert table.endswith("\n1. no A\n2. no B\n")


def test_an_exercise_that_a_provider_was_not_tried_on_is_said_so() -> None:
    table = markdown([run("uml", "pass"), run("dind", "pass", exercise="2.1")])
    assert "| `uml`, 6.12 | not tried | proven (1 checks) |" in table


def test_the_readme_has_the_table_of_the_runs_that_were_observed() -> None:
    observed = sorted((ROOT / "docs" / "observed").glob("*.json"))
    assert observed
    runs = [Run.load(path) for path in observed]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    told = readme.partition(BEGIN)[2].partition(END)[0]
    assert told.strip() == markdown(runs).strip(), "swarmlab table docs/observed/*.json"


@pytest.mark.parametrize(
    "content",
    [
        "null",
        "[]",
        "7",
        '{"provider": "", "kernel": "", "exercises": 7}',
        '{"provider": 1}',
        "{cut",
    ],
)
def test_what_are_no_results_is_told_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    (tmp_path / "results.json").write_text(content, encoding="utf-8")
    assert cli.main(["table", str(tmp_path / "results.json")]) == 2
    assert "results.json is not the results.json of a run (" in capsys.readouterr().err


def test_what_results_say_is_a_cell_s_text() -> None:
    table = markdown([run("\x1b[2Jtwo | cells\nand a line", "not_provable", exercise="\u202e2.2")])
    assert table.startswith("| Provider, kernel | 2.2 |\n")
    assert "| `two \\| cells and a line`, 6.12 |" in table
