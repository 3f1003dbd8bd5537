"""Judges a saved run again: the same record, today's checks, no cluster."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

from pytest_swarmlab.errors import ConfigError
from pytest_swarmlab.evidence.events import ExerciseSelected, each
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.catalogue import Catalogue
from pytest_swarmlab.judging.exercise import Exercise, overall
from pytest_swarmlab.model import Verdict
from pytest_swarmlab.text import line

SAID = 2000
"""Characters of an observation that are printed."""


def exercises_of(record: Record, catalogue: Catalogue) -> list[Exercise]:
    """The exercises that the run was to judge, each once.

    Raises ConfigError for one that the catalogue does not have.
    """
    ids = dict.fromkeys(selected.id for selected in each(record, ExerciseSelected))
    return [catalogue.exercise(id_) for id_ in ids]


def judge_again(run_directory: Path, record: Record, catalogue: Catalogue, out: TextIO) -> int:
    """Print every verdict of the run as today's checks give it; returns 0 if all passed.

    `record`: the whole record. Raises ConfigError when it can't be judged here.
    """
    exercises = exercises_of(record, catalogue)
    if not exercises:
        raise ConfigError(f"the record in {run_directory} names no exercise: nothing can be judged")
    if record.left_out:
        out.write(f"not used: {record.left_out}\n")
    verdicts = []
    for exercise in exercises:
        for result in exercise.judge(record):
            verdicts.append(result.verdict)
            # What was observed holds what a cluster said.
            observed = line(result.observed, SAID)
            out.write(f"{result.verdict.value:12}  {result.id}: {observed}\n")
    return 0 if overall(verdicts) is Verdict.PASS else 1
