"""Collects the verdicts of a mark from a saved run's record and from a submission."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from pytest_swarmlab.errors import Unusable
from pytest_swarmlab.evidence.events import RolesDecided
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.exercise import Check, Exercise
from pytest_swarmlab.marking import combining, declared, handed_in
from pytest_swarmlab.marking.answers import Answer, Answers
from pytest_swarmlab.marking.asked import deliverables, given, questions, sections
from pytest_swarmlab.marking.combining import Chosen
from pytest_swarmlab.marking.mark import Mark, mark
from pytest_swarmlab.marking.rubric import DRILL
from pytest_swarmlab.marking.submission import Submission
from pytest_swarmlab.model import CheckResult, Verdict

SURVEY = "survey"
"""The part of a record that a survey writes."""


def of_record(
    record: Record, exercises: Sequence[Exercise], own: Sequence[Check]
) -> dict[str, CheckResult]:
    """Check's id → its result on that record, without phases that were not performed."""
    performed = {event.phase for event in record}
    checks = [*(check for exercise in exercises for check in exercise.checks), *own]
    results = [(check, check.result(record)) for check in checks]
    return {
        result.id: result
        for check, result in results
        if check.phase in performed or result.verdict is not Verdict.UNKNOWN
    }


@dataclass(frozen=True)
class HandedIn:
    """A submission's results by check id, its answers for the teacher, and the roles it decides."""

    results: Mapping[str, CheckResult] = field(default_factory=dict)
    for_the_teacher: Sequence[Answer] = ()
    roles: Mapping[str, str] = field(default_factory=dict)


def decided(record: Record, roles: Mapping[str, str]) -> Record:
    """The record with a submission's decisions of roles, which the survey's checks use."""
    surveyed = record.phase(SURVEY)
    if not roles or not surveyed.events:
        return record
    said = replace(
        surveyed.events[-1],
        seq=max(event.seq for event in record) + 1,
        kind=RolesDecided.kind,
        data=RolesDecided(roles).data(),
    )
    return Record((*record.events, said), record.left_out)


def of_submission(
    directory: Path, deadline: datetime | None, handed_in_at: datetime | None
) -> HandedIn:
    """Judge a submission.

    Every check of a submission that can't be read as a whole is `unknown`.
    Raises ConfigError if the directory can't be read.
    """
    late = [handed_in.in_time(deadline, handed_in_at)] if deadline else []
    try:
        submission = Submission.read(directory)
        roles = declared.read(submission).roles
    except Unusable as error:
        return HandedIn({r.id: r for r in [*_nothing(str(error)), *late]})
    answers = Answers.read(submission)
    results = [*handed_in.judge(submission), *answers.judge(), *late]
    return HandedIn({r.id: r for r in results}, answers.for_the_teacher(), roles)


def submission_checks() -> set[str]:
    """Ids of all checks of a submission's files."""
    answers = (question.check for question in questions())
    return {
        *(each.check for each in deliverables()),
        *(check for check in answers if check),
        *(given(section) for section in sections()),
    }


def marked(
    chosen: Chosen, exercises: Sequence[Exercise], results: Mapping[str, CheckResult]
) -> Mark:
    """The mark. Raises ConfigError if the rubric names a check that does not exist."""
    drills: dict[str, set[str]] = {}
    known = combining.named_by_lab() | {check.id for check in chosen.own}
    for exercise in exercises:
        ids = {check.id for check in exercise.checks}
        known |= ids
        if any(DRILL.fullmatch(check) for check in ids):
            drills[exercise.id] = ids
    chosen.rubric.refuse_unknown(known, exercises=drills)
    return mark(chosen.rubric, results)


def _nothing(why: str) -> list[CheckResult]:
    unread = CheckResult("", "", Verdict.UNKNOWN, "", why, "Hand in what `swarmlab check` accepts.")
    ids = sorted(submission_checks())
    return [replace(unread, id=each, title=each) for each in ids]
