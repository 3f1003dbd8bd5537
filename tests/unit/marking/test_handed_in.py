"""Deliverables: there, more than the skeleton, in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pytest_swarmlab.errors import ConfigError
from pytest_swarmlab.marking import completeness, handed_in, new_submission, saved
from pytest_swarmlab.marking.asked import deliverables, questions, sections
from pytest_swarmlab.marking.submission import Submission
from pytest_swarmlab.model import CheckResult, Verdict
from tests.unit.marking.submissions import complete, png

LAB = {"2.1": 2, "2.2": 2, "2.3": 2, "2.4": 3, "2.5": 3, "2.6": 3, "2.7": 3, "2.8": 4, "2.9": 3,
       "2.10": 5}  # fmt: skip
"""Exercise → deliverables; 2.8 has our restore script besides the lab's three."""


def judged(root: Path) -> dict[str, CheckResult]:
    return {r.id: r for r in handed_in.judge(Submission.read(root))}


def test_every_deliverable_and_question_of_the_lab_is_asked_for() -> None:
    found = [d.exercise for d in deliverables()]
    assert {exercise: found.count(exercise) for exercise in LAB} == LAB
    ours = [q for q in questions() if not q.added]
    assert len(ours) == 9 * 3 + 12
    assert sections() == (*(f"2.{n}" for n in range(1, 10)), "synthesis")


def test_a_new_submission_has_a_place_for_all_and_nothing_in_it_counts(tmp_path: Path) -> None:
    places = new_submission.write(tmp_path / "mine")
    assert {"swarmlab.yml", "answers.yml", "scripts/backup.sh", "scripts/restore.sh",
            "scripts/rotation.sh", "stacks/wordpress-stack.yml"} <= set(places)  # fmt: skip
    handed = saved.of_submission(tmp_path / "mine", None, None)
    results, answers = handed.results, handed.for_the_teacher
    assert {r.verdict for r in results.values()} == {Verdict.FAIL}
    assert list(answers) == []
    found = completeness.look(tmp_path / "mine")
    assert found.deliverables == (0, len(deliverables()))
    assert found.answers == (0, len(questions()))
    assert all(lack.missing for lack in found.lacks)


def test_its_scripts_can_be_run_and_do_nothing(tmp_path: Path) -> None:
    new_submission.write(tmp_path / "mine")
    script = tmp_path / "mine/scripts/backup.sh"
    assert script.stat().st_mode & 0o111
    assert "exit 1" in script.read_text("utf-8")


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/answers.yml").write_text("all of my work")
    with pytest.raises(ConfigError, match="is not empty: name a new directory"):
        new_submission.write(tmp_path / "mine")
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["answers.yml"]
    assert (tmp_path / "mine/answers.yml").read_text() == "all of my work"


def test_a_file_is_no_directory_to_write_to(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    with pytest.raises(ConfigError, match="can't be written"):
        new_submission.write(tmp_path / "mine")
    assert (tmp_path / "mine").read_text() == "x"


def test_all_of_it_passes_and_nothing_is_missing(tmp_path: Path) -> None:
    root = complete(tmp_path / "mine")
    results = dict(saved.of_submission(root, None, None).results)
    assert {r.verdict for r in results.values()} == {Verdict.PASS}
    assert completeness.look(root).lacks == ()


@pytest.mark.parametrize("asked", deliverables(), ids=lambda d: d.id)
def test_each_deliverable_that_is_missing_fails_alone(tmp_path: Path, asked: object) -> None:
    root = complete(tmp_path / "mine")
    place = getattr(asked, "place")  # noqa: B009 - parametrised objects have no type here
    for path in (root / place).parent.iterdir():
        if path.name.startswith((root / place).name):
            path.unlink()
    results = judged(root)
    failed = [check for check, r in results.items() if r.verdict is not Verdict.PASS]
    assert failed == [getattr(asked, "check")]  # noqa: B009
    assert results[failed[0]].observed.endswith("does not exist")
    assert results[failed[0]].looked_at.startswith(place)


DOCUMENT = "documents/2.1-quorum-raft"


@pytest.mark.parametrize(
    ("name", "content", "verdict"),
    [
        (".md", "mot " * 80, Verdict.PASS),
        (".md", "mot " * 79, Verdict.FAIL),
        (".MD", "mot " * 80, Verdict.PASS),
        (".rst", "mot\n" * 80, Verdict.PASS),
        (".md", "", Verdict.FAIL),
        (".md", "# Document expliquant le quorum Raft\n" * 80, Verdict.FAIL),
        (".md", "- - -\n" * 80, Verdict.FAIL),
        (".pdf", "%PDF-1.7 " * 100, Verdict.UNKNOWN),
        (".docx", "PK", Verdict.UNKNOWN),
        (".exe", "mot " * 80, Verdict.FAIL),
        ("-v2.md", "mot " * 80, Verdict.FAIL),
    ],
)
def test_a_document_has_words_of_its_own(
    tmp_path: Path, name: str, content: str, verdict: Verdict
) -> None:
    root = complete(tmp_path / "mine")
    (root / f"{DOCUMENT}.md").unlink()
    (root / f"{DOCUMENT}{name}").write_text(content, "utf-8")
    assert judged(root)["document.2.1.raft-quorum"].verdict is verdict


def test_a_document_in_utf16_is_read(tmp_path: Path) -> None:
    root = complete(tmp_path / "mine")
    (root / f"{DOCUMENT}.md").write_text("équilibré " * 80, "utf-16")
    assert judged(root)["document.2.1.raft-quorum"].verdict is Verdict.PASS


def test_a_skeleton_beside_the_real_document_does_no_harm(tmp_path: Path) -> None:
    root = complete(tmp_path / "mine")
    (root / f"{DOCUMENT}.md").rename(root / f"{DOCUMENT}.txt")
    (root / f"{DOCUMENT}.md").write_text("# Document expliquant le quorum Raft\n", "utf-8")
    assert judged(root)["document.2.1.raft-quorum"].verdict is Verdict.PASS


LISTING = "ID HOSTNAME STATUS\na manager1 Ready\nb manager2 Ready\nc manager3 Ready\n"


@pytest.mark.parametrize(
    ("suffix", "content", "verdict"),
    [
        (".png", png(), Verdict.PASS),
        (".PNG", png(), Verdict.PASS),
        (".jpg", b"\xff\xd8\xff" + b"x" * 2000, Verdict.PASS),
        (".png", b"<html>" + b"x" * 2000, Verdict.FAIL),
        (".png", b"\x89PNG\r\n\x1a\n", Verdict.FAIL),
        (".txt", LISTING.encode(), Verdict.PASS),
        (".txt", b"ID HOSTNAME\n", Verdict.FAIL),
    ],
)
def test_a_screenshot_is_a_picture_or_the_output(
    tmp_path: Path, suffix: str, content: bytes, verdict: Verdict
) -> None:
    root = complete(tmp_path / "mine")
    for path in (root / "documents").glob("2.1-node-ls.*"):
        path.unlink()
    (root / f"documents/2.1-node-ls{suffix}").write_bytes(content)
    assert judged(root)["document.2.1.node-ls"].verdict is verdict


@pytest.mark.parametrize(
    ("content", "verdict", "said"),
    [
        ("services: {a: {image: x}}", Verdict.PASS, "has 1 services"),
        ("x: &x {image: y}\nservices: {a: {<<: *x}}", Verdict.PASS, "has 1 services"),
        ("services: {}", Verdict.FAIL, "has no services"),
        ("version: '3.8'", Verdict.FAIL, "has no services"),
        ("services: {a: {build: .}}", Verdict.FAIL, "a has no image"),
        ("services: {a: x}", Verdict.FAIL, "a has no image"),
        ("services: [a]", Verdict.FAIL, "has no services"),
        ("services: {a: {image: x}", Verdict.UNKNOWN, "is not valid YAML"),
    ],
)
def test_a_stack_file_has_services_with_images(
    tmp_path: Path, content: str, verdict: Verdict, said: str
) -> None:
    root = complete(tmp_path / "mine")
    (root / "stacks/ecommerce-stack.yml").write_text(content, "utf-8")
    found = judged(root)["document.2.10.stack"]
    assert found.verdict is verdict
    assert said in found.observed


@pytest.mark.parametrize(
    ("content", "verdict"),
    [
        ("a\nb\nc\nd\n", Verdict.PASS),
        ("a\nb\nc\n", Verdict.FAIL),
        ("# a\n# b\n# c\n# d\n", Verdict.FAIL),
        ("set -euo pipefail\nexit 1\nb\nc\nd\n", Verdict.FAIL),
    ],
)
def test_a_script_has_commands_of_its_own(tmp_path: Path, content: str, verdict: Verdict) -> None:
    root = complete(tmp_path / "mine")
    (root / "scripts/backup.sh").write_text(content, "utf-8")
    assert judged(root)["document.2.8.backup-script"].verdict is verdict


END = datetime(2026, 12, 18, 22, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("late", "verdict"),
    [(timedelta(0), Verdict.PASS), (timedelta(seconds=1), Verdict.FAIL), (None, Verdict.UNKNOWN)],
)
def test_in_time_is_what_the_teacher_says(late: timedelta | None, verdict: Verdict) -> None:
    found = handed_in.in_time(END, None if late is None else END + late)
    assert found.verdict is verdict
    assert found.expected == "by 2026-12-18 22:59 UTC"


def test_whose_it_is_must_be_said(tmp_path: Path) -> None:
    root = complete(tmp_path / "mine")
    (root / "swarmlab.yml").write_text("lab: lab-02\n", "utf-8")
    (lack,) = completeness.look(root).lacks
    assert (lack.where, lack.missing) == ("swarmlab.yml", True)
