"""Marks a saved run: the same record, submission and rubric always give the same mark."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TextIO

from pytest_swarmlab.errors import ConfigError
from pytest_swarmlab.evidence import merging
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.again import exercises_of
from pytest_swarmlab.judging.catalogue import Catalogue
from pytest_swarmlab.marking import combining, roles, saved
from pytest_swarmlab.marking.mark import Mark
from pytest_swarmlab.reporting import html, junit
from pytest_swarmlab.reporting.marked import as_results, in_words
from pytest_swarmlab.reporting.results import build_results, write_results

DIRECTORY = "mark"
"""Below the run's own, so that nothing of the run is written over."""

ALL_EARNED, LOST, UNGRADED = 0, 1, 6
"""Exit codes: every point earned; some lost; none lost, and some ungraded."""


def mark_again(
    run: Path,
    out: TextIO,
    *,
    catalogue: Catalogue,
    chosen: combining.Chosen,
    submission: Path | None = None,
    handed_in: datetime | None = None,
) -> int:
    """Mark it, print the mark, and write results.json, report.html and junit.xml; returns the exit
    code.

    `catalogue`: where the record's exercises are looked for. Raises ConfigError for a record or
    submission that can't be read.
    """
    record = _load(run)
    judged = exercises_of(record, catalogue)
    handed = (
        saved.of_submission(submission, chosen.rubric.deadline, handed_in)
        if submission
        else saved.HandedIn()
    )
    roles.check(handed.roles)
    record = saved.decided(record, handed.roles)
    results = saved.of_record(record, judged, chosen.own)
    mark = saved.marked(chosen, judged, {**results, **handed.results})
    found = build_results(record, judged)
    found |= as_results(mark, handed.for_the_teacher, found["exercises"])
    directory = run / DIRECTORY
    try:
        directory.mkdir(exist_ok=True)
        write_results(directory, found)
        page = html.document(f"Mark: {chosen.rubric.title}", html.page(record, found))
        (directory / "report.html").write_text(page, encoding="utf-8", errors="backslashreplace")
        junit.write(directory / "junit.xml", found)
    except OSError as error:
        raise ConfigError(f"the mark can't be written to {directory}: {error.strerror}") from error
    out.write(in_words(found))
    out.write(f"\n{directory / 'report.html'}\n")
    return exit_code(mark)


def _load(run: Path) -> Record:
    record = merging.whole(run)
    if not record.events:
        raise ConfigError(f"the record in {run} is empty: nothing can be marked")
    for event in record.of("exercise.selected"):
        if not {"id", "title", "module", "checks"} <= event.data.keys():
            raise ConfigError(
                f"the record in {run} names an exercise without its checks (event {event.seq}):"
                " no run writes that"
            )
    return record


def exit_code(mark: Mark) -> int:
    """The exit code of a mark."""
    if mark.lost:
        return LOST
    return UNGRADED if mark.ungraded else ALL_EARNED
