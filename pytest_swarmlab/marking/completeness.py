"""Lists what a submission lacks, without a cluster."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pytest_swarmlab.errors import Unusable
from pytest_swarmlab.marking import declared, handed_in
from pytest_swarmlab.marking.answers import Answers
from pytest_swarmlab.marking.asked import sections
from pytest_swarmlab.marking.submission import Submission
from pytest_swarmlab.model import Verdict
from pytest_swarmlab.text import line


@dataclass(frozen=True)
class Lack:
    """A part of a submission that is missing (`missing`) or unusable."""

    where: str
    missing: bool
    why: str


@dataclass(frozen=True)
class Completeness:
    """`deliverables`, `answers`: (how many are there, of how many)."""

    deliverables: tuple[int, int]
    answers: tuple[int, int]
    lacks: tuple[Lack, ...]


def look(directory: Path) -> Completeness:
    """List the lacks of a submission.

    Raises ConfigError if its directory can't be read, Unusable if it exceeds a limit.
    """
    submission = Submission.read(directory)
    lacks = []
    try:
        said = declared.read(submission)
        if not said.students:
            lacks.append(Lack(declared.FILE, True, "it names no students"))
        lacks += [
            Lack(declared.FILE, True, f"step {n} ({step}) names a file that does not exist")
            for n, step in enumerate(said.steps, 1)
            if step.place not in submission.files
        ]
    except Unusable as error:
        missing = declared.FILE not in (*submission.files, *submission.odd)
        lacks.append(Lack(declared.FILE, missing, str(error)))
    found = handed_in.judge(submission)
    for result in found:
        if result.verdict is not Verdict.PASS:
            where = result.looked_at.removesuffix(" of the submission")
            missing = result.verdict is Verdict.FAIL
            why = f"{result.title}: {result.observed}; wanted: {result.expected}"
            lacks.append(Lack(where, missing, why))
    answers = Answers.read(submission)
    if answers.trouble:
        lacks.append(Lack("answers.yml", False, answers.trouble))
    for section in () if answers.trouble else sections():
        empty = [a for a in answers.answers if a.question.section == section and not a.text]
        if empty:
            names = ", ".join(answer.question.name for answer in empty)
            lacks.append(Lack("answers.yml", True, f"section {section}, no answer to {names}"))
    lacks += [
        Lack("answers.yml", False, f"{line(place)} belongs to no question")
        for place in answers.strange[:10]
    ]
    lacks += [
        Lack(line(place), False, f"it is {what}, which is not read: hand in the file itself")
        for place, what in list(submission.odd.items())[:10]
    ]
    passed = sum(result.verdict is Verdict.PASS for result in found)
    answered = sum(bool(answer.text) for answer in answers.answers)
    return Completeness((passed, len(found)), (answered, len(answers.answers)), tuple(lacks))
