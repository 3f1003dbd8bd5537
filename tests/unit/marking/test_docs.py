"""What the documentation shows works as it is shown."""

from __future__ import annotations

import re
from pathlib import Path

from pytest_swarmlab.marking import bounded_yaml, combining, saved, submission

TEXT = (Path(__file__).parents[3] / "docs" / "marking.md").read_text("utf-8")


def block(language: str, begins: str) -> str:
    found = re.search(rf"```{language}\n({re.escape(begins)}.*?)```", TEXT, re.DOTALL)
    assert found
    return found[1]


def test_the_rubric_that_is_shown_is_one(tmp_path: Path) -> None:
    (tmp_path / "ours.yml").write_text(block("yaml", "extends"), "utf-8")
    (tmp_path / "ours.py").write_text(block("python", "# ours.py"), "utf-8")
    chosen = combining.load(tmp_path / "ours.yml")
    assert saved.marked(chosen, [], {}).of == 10_000
    assert [check.id for check in chosen.own] == ["own.quick"]
    assert chosen.rubric.deadline


def test_the_limits_that_are_told_are_those_that_hold() -> None:
    assert f"| {submission.MOST_ENTRIES:,}, ten directories deep" in TEXT
    assert submission.DEEPEST == 10
    assert f"| {submission.LARGEST // 2**20} MiB; of a text the first MiB" in TEXT
    assert submission.READ == 2**20
    assert (
        f"| {bounded_yaml.MOST_BYTES // 1024} KiB, {bounded_yaml.MOST_NODES:,} values with those"
        f" that aliases repeat, {bounded_yaml.DEEPEST} levels |"
    ) in TEXT
