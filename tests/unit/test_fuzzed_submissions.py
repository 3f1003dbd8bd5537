"""Whatever a student or a teacher writes in files is read, or told in a sentence."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.marking import combining, declared
from pytest_swarmlab.marking.answers import FILE as ANSWERS
from pytest_swarmlab.marking.answers import Answer, Answers
from pytest_swarmlab.marking.asked import questions
from pytest_swarmlab.marking.mark import mark
from pytest_swarmlab.marking.saved import of_submission
from pytest_swarmlab.marking.submission import Submission
from pytest_swarmlab.model import CheckResult, Verdict
from pytest_swarmlab.reporting import junit
from pytest_swarmlab.reporting.html import page
from pytest_swarmlab.reporting.marked import as_results, in_words
from pytest_swarmlab.reporting.results import build_results
from tests.unit.marking.rubrics import item, rubric
from tests.unit.marking.submissions import complete
from tests.unit.records.hostile import EVIL, SAID, UNSEEN, refusal, shapes
from tests.unit.test_fuzzed_terminal import is_text, said_by

DECLARED = {
    "lab": "lab-02",
    "students": ["Ada Lovelace", "Grace"],
    "roles": {"wordpress": "wp_wordpress"},
    "steps": [
        {"deploy": "stacks/wordpress-stack.yml", "name": "wp"},
        {"run": "scripts/prepare.sh", "on": "workers"},
    ],
    "backup": "/backup/swarm/swarm-*",
    "restore": ["scripts/restore.sh", "--yes", "{}"],
    "rotation": {"run": ["scripts/rotate.sh"], "secret": "db", "path": "/ready"},
}

RUBRIC = {
    "schema": "swarmlab-rubric/1",
    "title": "T",
    "deadline": "2026-12-18T23:59+01:00",
    "criteria": {
        "one": {"title": "one", "points": 60, "checks": {
            "a": {"of": ["2.2.kill.x", "state.x.y"], "weight": 2, "hint": "h", "exercise": "2.2"},
            "b": {"of": ["answer.2.1.algorithm"], "weight": 0.5, "needs": ["a"], "either": True},
        }},
        "two": {"title": "two", "points": 40, "checks": {"c": {"of": ["own.c"], "weight": 1}}},
    },
}  # fmt: skip

YAML = st.text("ab:{}[],&*!|>-?#'\"$ \n\t~%@`<1", max_size=120)


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A submission that has all."""
    return complete(tmp_path_factory.mktemp("submission"))


def written(content: Any) -> str:
    """As YAML, of which JSON is a part."""
    return json.dumps(content)


def one_sentence(do: Callable[[], object]) -> None:
    """It is used, or refused in one sentence of text."""
    said = refusal(do)
    is_text(said, longest=1000)
    assert "\n" not in said


@given(shapes(DECLARED).map(written) | YAML)
def test_any_swarmlab_yml_is_read_or_refused_in_one_sentence(handed_in: Path, text: str) -> None:
    (handed_in / declared.FILE).write_text(text, encoding="utf-8")
    submission = Submission.read(handed_in)
    steps: list[declared.Step] = []
    one_sentence(lambda: steps.extend(declared.read(submission).steps))
    for step in steps:
        is_text(str(step))
        assert not step.place.startswith("/")


SECTIONS: dict[str, dict[str, str]] = {}
for asked in questions():
    SECTIONS.setdefault(asked.section, {})[asked.name] = "oui"


@given(shapes(SECTIONS).map(written) | YAML | st.binary(max_size=200))
def test_any_answers_yml_is_judged_and_given_to_the_teacher_as_text(
    handed_in: Path, text: str | bytes
) -> None:
    raw = text.encode() if isinstance(text, str) else text
    (handed_in / ANSWERS).write_bytes(raw)
    answers = Answers.read(Submission.read(handed_in))
    for result in answers.judge():
        is_text(result.observed)
    assert len(answers.answers) == len(questions())
    assert all(isinstance(answer.text, str) for answer in answers.for_the_teacher())


@given(shapes(RUBRIC).map(written) | YAML)
def test_any_rubric_is_one_or_is_refused_in_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rubric.yml"
    path.write_text(text, encoding="utf-8")
    one_sentence(lambda: combining.load(path))
    path.write_text(f"extends: lab-02\n{text}", encoding="utf-8")
    one_sentence(lambda: combining.load(path))


@given(st.lists(st.tuples(st.integers(0, 30), st.binary(max_size=200)), max_size=4), SAID)
def test_a_submission_of_any_files_is_checked_and_judged(
    tmp_path_factory: pytest.TempPathFactory, contents: list[tuple[int, bytes]], name: str
) -> None:
    root = complete(tmp_path_factory.mktemp("any"))
    files = sorted(path for path in root.rglob("*") if path.is_file())
    for number, content in contents:
        files[number % len(files)].write_bytes(content)
    # What no file system takes is no name.
    with contextlib.suppress(OSError, ValueError, UnicodeEncodeError):
        (root / name).write_bytes(b"x")
    code, shown = said_by("check", str(root))
    is_text(shown)
    assert code in (0, 1, 2)
    for result in of_submission(root, None, None).results.values():
        is_text(result.observed)


RESULT = st.builds(
    CheckResult,
    st.sampled_from(("a", "b", "c")), SAID, st.sampled_from(list(Verdict)), SAID, SAID, SAID, SAID,
)  # fmt: skip


@given(st.lists(RESULT, max_size=3), SAID)
def test_a_mark_of_any_words_is_text_whole_xml_and_results_json(
    tmp_path: Path, results: list[CheckResult], title: str
) -> None:
    asked = rubric(one={"x": item("a")}, two={"y": item("b", "c", hint=title)})
    answers = [Answer(question, title) for question in questions()[:2]]
    marked = as_results(mark(asked, {each.id: each for each in results}), answers, ())
    is_text(in_words(marked))
    found = build_results(Record(()), []) | marked
    json.dumps(found, allow_nan=False)
    shown = page(Record(()), found)
    shown.encode()
    assert EVIL[:11] not in shown
    assert not UNSEEN & set(shown)
    junit.write(tmp_path / "junit.xml", found)
    tests = ElementTree.parse(tmp_path / "junit.xml").getroot()  # noqa: S314 - ours
    assert len(tests.findall(".//testcase")) == 3
    assert (tmp_path / "junit.xml").stat().st_size < 100_000
