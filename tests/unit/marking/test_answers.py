"""Answers: right, surely wrong, or left to the teacher; nothing is guessed."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_swarmlab.marking import completeness
from pytest_swarmlab.marking.answers import Answer, Answers
from pytest_swarmlab.marking.asked import questions
from pytest_swarmlab.marking.submission import Submission
from pytest_swarmlab.model import CheckResult, Verdict
from tests.unit.marking.submissions import answers, complete

RIGHT, WRONG, READ = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN


def judged(root: Path) -> dict[str, CheckResult]:
    return {r.id: r for r in Answers.read(Submission.read(root)).judge()}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return complete(tmp_path / "mine")


@pytest.mark.parametrize(
    ("question", "answer", "verdict"),
    [
        ("2.1.failures-tolerated", "1", RIGHT),
        ("2.1.failures-tolerated", "Une panne.", RIGHT),
        ("2.1.failures-tolerated", "un manager", RIGHT),
        ("2.1.failures-tolerated", "2", WRONG),
        ("2.1.failures-tolerated", "aucune", WRONG),
        ("2.1.failures-tolerated", "01", RIGHT),
        ("2.1.failures-tolerated", "une seule panne, car le quorum est 2", READ),
        ("2.1.failures-tolerated", "1 ou 2", READ),
        ("2.1.failures-tolerated", "-1", READ),
        ("2.1.failures-tolerated", "1 worker", READ),
        ("2.1.failures-tolerated", "9" * 5000, READ),
        ("2.1.quorum-of-five", "trois", RIGHT),
        ("2.1.quorum-of-five", "5", WRONG),
        ("2.1.tolerance-of-five", "2 pannes", RIGHT),
        ("2.1.tolerance-of-five", "3", WRONG),
        ("2.1.algorithm", "RAFT", RIGHT),
        ("2.1.algorithm", "L’algorithme de consensus Raft", RIGHT),
        ("2.1.algorithm", "Paxos", WRONG),
        ("2.1.algorithm", "Paxos ou Raft", READ),
        ("2.1.algorithm", "pas Raft", READ),
        ("2.2.old-leader", "Non", RIGHT),
        ("2.2.old-leader", "non, il revient comme follower", RIGHT),
        ("2.2.old-leader", "NON !", RIGHT),
        ("2.2.old-leader", "Oui.", WRONG),
        ("2.2.old-leader", "oui et non", READ),
        ("2.2.old-leader", "nonobstant", READ),
        ("2.2.old-leader", "Il reste follower", READ),
        ("2.3.data-stay", "oui — sur worker1", RIGHT),
        ("2.5.data-survive", "Non", WRONG),
        ("2.6.secret-changed", "non : il est immuable", RIGHT),
        ("2.6.secret-limit", "500 Ko", RIGHT),
        ("2.6.secret-limit", "500kb", RIGHT),
        ("2.6.secret-limit", "512 000 octets", RIGHT),
        ("2.6.secret-limit", "500 Kio", RIGHT),
        ("2.6.secret-limit", "511 999 octets", RIGHT),
        ("2.6.secret-limit", "1 Mo", WRONG),
        ("2.6.secret-limit", "500", READ),
        ("2.6.secret-limit", "environ 500 Ko", READ),
        ("2.6.secret-limit", "0,5 Mo", RIGHT),
        ("2.7.config-limit", "1 Mo", RIGHT),
        ("2.7.config-limit", "1000 KiB", RIGHT),
        ("2.7.config-limit", "500 kB", RIGHT),
        ("2.7.config-limit", "1023999 octets", RIGHT),
        ("2.7.config-limit", "1 Go", WRONG),
        ("2.7.config-shared", "oui", RIGHT),
        ("2.7.config-shared", "non", WRONG),
        ("2.9.start-period", "Oui", WRONG),
    ],
)
def test_an_answer_is_right_wrong_or_read(
    root: Path, question: str, answer: str, verdict: Verdict
) -> None:
    answers(root, **{question.rpartition(".")[2]: answer})
    found = judged(root)[f"answer.{question}"]
    assert found.verdict is verdict
    assert "\n" not in found.observed
    assert len(found.observed) < 300


def test_every_accepted_form_is_accepted_and_no_right_one_is_wrong() -> None:
    for question in questions():
        if question.kind in ("number", "name", "yes-no"):
            for right in question.right:
                (found,) = _judge(question.id, right)
                assert found.verdict is RIGHT, (question.id, right)
            for wrong in question.wrong:
                (found,) = _judge(question.id, wrong)
                assert found.verdict is WRONG, (question.id, wrong)


def _judge(name: str, answer: str) -> list[CheckResult]:
    question = next(q for q in questions() if q.id == name)
    whole = Answers((Answer(question, answer),))
    return [r for r in whole.judge() if r.id == f"answer.{name}"]


@pytest.mark.parametrize("question", [q for q in questions() if q.check], ids=lambda q: q.id)
def test_no_answer_is_no_point(root: Path, question: object) -> None:
    name, check = getattr(question, "name"), getattr(question, "check")  # noqa: B009
    answers(root, **{name: ""})
    assert judged(root)[check].verdict is WRONG
    assert judged(root)[check].observed == "no answer"


def test_open_questions_are_for_the_teacher_and_never_judged(root: Path) -> None:
    found = Answers.read(Submission.read(root))
    open_ones = [q.id for q in questions() if not q.check]
    assert [a.question.id for a in found.for_the_teacher()] == open_ones
    assert not {f"answer.{name}" for name in open_ones} & judged(root).keys()


def test_an_unclear_answer_is_for_the_teacher_too(root: Path) -> None:
    answers(root, algorithm="Un consensus distribué")
    found = Answers.read(Submission.read(root)).for_the_teacher()
    assert "2.1.algorithm" in {a.question.id for a in found}


def test_a_section_with_a_question_left_is_not_answered(root: Path) -> None:
    answers(root, why="")
    found = judged(root)
    assert found["answer.2.3.given"].verdict is WRONG
    assert found["answer.2.3.given"].observed == "no answer to why"
    assert found["answer.2.4.given"].verdict is RIGHT


def test_what_yaml_takes_for_something_else_is_what_was_written(root: Path) -> None:
    (root / "answers.yml").write_text("2.1: {failures-tolerated: 1}\n2.2: {old-leader: no}\n")
    found = judged(root)
    assert found["answer.2.1.failures-tolerated"].verdict is RIGHT
    assert found["answer.2.2.old-leader"].verdict is RIGHT


def test_a_lack_is_told_with_what_is_wanted(root: Path) -> None:
    (root / "documents" / "2.1-quorum-raft.md").write_text("Raft.", encoding="utf-8")
    (lack,) = completeness.look(root).lacks
    assert "has 1 words besides the skeleton's; wanted: a text of " in lack.why


def test_answers_that_belong_to_no_question_are_told(root: Path) -> None:
    with (root / "answers.yml").open("a") as file:
        file.write('"2.11": {x: y}\nnote: hello\n')
    told = [lack.why for lack in completeness.look(root).lacks]
    assert told == ["2.11: x belongs to no question", "note belongs to no question"]


def test_without_a_file_nothing_is_answered(root: Path) -> None:
    (root / "answers.yml").unlink()
    assert {r.verdict for r in judged(root).values()} == {WRONG}
