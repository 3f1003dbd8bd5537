"""Marks answers that are certainly right or wrong, and leaves all others to the teacher.

A right answer is one of the accepted forms. A wrong answer is another number, the opposite of yes
or no, or a name that is known to be wrong. Any other answer is `unknown`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from pytest_swarmlab.errors import Unusable
from pytest_swarmlab.marking import bounded_yaml
from pytest_swarmlab.marking.asked import Question, given, questions, sections
from pytest_swarmlab.marking.submission import Submission
from pytest_swarmlab.model import CheckResult, Judgement, Verdict
from pytest_swarmlab.text import line

FILE = "answers.yml"

NUMBERS = (
    "zero", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix", "onze",
    "douze", "treize", "quatorze", "quinze", "seize",
)  # fmt: skip
"""French numerals by their value; `_number` adds "une" and "aucun"."""

UNITS = {
    "o": 1, "octet": 1, "octets": 1, "byte": 1, "bytes": 1, "b": 1,
    "ko": 1000, "kb": 1000, "kio": 1024, "kib": 1024, "kilooctets": 1000, "kilo-octets": 1000,
    "mo": 10**6, "mb": 10**6, "mio": 2**20, "mib": 2**20, "megaoctet": 10**6, "mega-octet": 10**6,
    "go": 10**9, "gb": 10**9, "gio": 2**30, "gib": 2**30,
}  # fmt: skip
"""Unit → bytes."""

SIZE = re.compile(r"(\d+(?:[ ]\d{3})*(?:[.,]\d+)?) ?([a-z-]+)")

YES, NO = {"oui", "yes", "true", "vrai"}, {"non", "no", "false", "faux"}

SAID = re.compile(r"([a-z]+)(?: ?[,.;:!(–—]|$| - )")
"""A first word that is followed by punctuation or nothing."""


@dataclass(frozen=True)
class Answer:
    """An answer of a submission; `text` is "" if the question has no answer."""

    question: Question
    text: str


@dataclass(frozen=True)
class Answers:
    """All answers. `trouble`: why none could be read. `strange`: entries without a question."""

    answers: tuple[Answer, ...]
    trouble: str = ""
    strange: tuple[str, ...] = ()

    @classmethod
    def read(cls, submission: Submission) -> Answers:
        """Read answers.yml; without the file no question has an answer."""
        nothing = tuple(Answer(question, "") for question in questions())
        if FILE not in submission.files and FILE not in submission.odd:
            return cls(nothing)
        try:
            content = submission.content(FILE, bounded_yaml.MOST_BYTES + 1)
            found = bounded_yaml.load(content, FILE, texts=True)
        except Unusable as error:
            return cls(nothing, trouble=str(error))
        known = {(question.section, question.name) for question in questions()}
        strange = [
            str(place)
            for section, answers in found.items()
            for place in (
                [f"{section}: {name}" for name in answers if (section, name) not in known]
                if isinstance(answers, dict)
                else [section]
            )
        ]
        return cls(
            tuple(Answer(q, _of(found, q)) for q in questions()),
            strange=tuple(line(place, 80) for place in strange),
        )

    def judge(self) -> list[CheckResult]:
        """A result for each question that has a right answer, and one for each section."""
        closed = [self._closed(answer) for answer in self.answers if answer.question.check]
        return closed + [self._given(section) for section in sections()]

    def for_the_teacher(self) -> list[Answer]:
        """Answers that only a person can judge: those to open questions, and unclear ones."""
        return [
            answer
            for answer in self.answers
            if answer.text
            and (not answer.question.check or _judge(answer).verdict is Verdict.UNKNOWN)
        ]

    def _closed(self, answer: Answer) -> CheckResult:
        question = answer.question
        judgement = Judgement(Verdict.UNKNOWN, self.trouble) if self.trouble else _judge(answer)
        return CheckResult(
            question.check or "",
            question.text,
            judgement.verdict,
            _expected(question),
            judgement.observed,
            "",
            f"{FILE}, {question.section}: {question.name}",
        )

    def _given(self, section: str) -> CheckResult:
        open_ones = [a.question.name for a in self.answers if a.question.section == section
                     and not a.text]  # fmt: skip
        if self.trouble:
            verdict, observed = Verdict.UNKNOWN, self.trouble
        elif open_ones:
            verdict, observed = Verdict.FAIL, f"no answer to {', '.join(open_ones)}"
        else:
            verdict, observed = Verdict.PASS, "each question has an answer"
        return CheckResult(
            given(section),
            f"Each question of {section} has an answer",
            verdict,
            "an answer to each; the teacher reads those to open questions",
            observed,
            f"Write your answers into {FILE}, section {section}.",
            f"{FILE}, section {section}",
        )


def _of(found: Mapping[str, object], question: Question) -> str:
    section = found.get(question.section)
    answer = section.get(question.name) if isinstance(section, dict) else None
    if isinstance(answer, list):
        answer = "\n".join(str(each) for each in answer)
    return str(answer).strip() if isinstance(answer, str) else ""


def _expected(question: Question) -> str:
    """The accepted answers. A mark shows them, so that everybody can check it."""
    if question.kind == "size":
        return " or ".join(f"{int(each):,} bytes" for each in question.right)
    return question.right[0]


def _judge(answer: Answer) -> Judgement:
    if not answer.text:
        return Judgement(Verdict.FAIL, "no answer")
    said = f"the answer is {line(answer.text, 120)!r}"
    told = normal(answer.text)
    right = {
        "number": _number,
        "yes-no": _yes_no,
        "name": _name,
        "size": _size,
    }[answer.question.kind](answer.question, told)
    if right is None:
        return Judgement(Verdict.UNKNOWN, f"{said}, which the teacher reads")
    return Judgement(Verdict.PASS if right else Verdict.FAIL, said)


def normal(text: str) -> str:
    """The text in small letters without accents, with single spaces, no punctuation at its ends."""
    plain = unicodedata.normalize("NFKD", text[:2000].casefold().replace("’", "'"))
    plain = "".join(each for each in plain if not unicodedata.combining(each))
    return " ".join(plain.replace("_", " ").split()).strip(" .!?;:\"'«»`*()")


def _number(question: Question, told: str) -> bool | None:
    number, _, unit = told.partition(" ")
    if unit and unit not in {normal(each) for each in question.units}:
        return None
    value = {"une": 1, "aucun": 0, "aucune": 0}.get(number)
    if value is None and number in NUMBERS:
        value = NUMBERS.index(number)
    if value is None and re.fullmatch(r"[0-9]{1,4}", number):
        value = int(number)
    return None if value is None else str(value) in question.right


def _yes_no(question: Question, told: str) -> bool | None:
    found = SAID.match(told)
    if not found or found[1] not in YES | NO:
        return None
    return (found[1] in YES) == (question.right[0] in YES)


def _name(question: Question, told: str) -> bool | None:
    if told in {normal(each) for each in question.right}:
        return True
    return False if told in {normal(each) for each in question.wrong} else None


def _size(question: Question, told: str) -> bool | None:
    found = SIZE.fullmatch(told)
    if not found or found[2] not in UNITS:
        return None
    number = Fraction(found[1].replace(" ", "").replace(",", "."))
    return str(number * UNITS[found[2]]) in question.right
