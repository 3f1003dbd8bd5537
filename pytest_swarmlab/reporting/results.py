"""results.json: what came of a run, for programs. results.schema.json has its form."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pytest_swarmlab.evidence.events import (
    CheckDeclared,
    Checked,
    ClusterReady,
    ExerciseSelected,
    MachineLoad,
    Measured,
    Problem,
    RunFinished,
    RunStarted,
    each,
    first,
    last,
)
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.exercise import Exercise, overall
from pytest_swarmlab.model import Capability, Judgement, Verdict
from pytest_swarmlab.reporting.account import account
from pytest_swarmlab.text import clean, line

SCHEMA = "swarmlab-results/1"

ORIGINS = ("own", "registry", "stand-in")
"""Where images are from; what an image says of itself besides is of no meaning here."""

NOT_REACHED = "not judged: its test was not run, or ended before it got that far"
NO_LAB = "not judged, because the lab itself failed: {message}"


def build_results(record: Record, exercises: Iterable[Exercise]) -> dict[str, Any]:
    """The content of results.json, from the record alone.

    `exercises`: those that the run was to judge; their measurements are taken again. For any other
    (only workers imported it) the recorded measurements count. Where a run had several clusters,
    the last one is described and the images of all are listed.
    """
    begun, ended = first(record, RunStarted), last(record, RunFinished)
    ready = last(record, ClusterReady)
    provided = ready or begun
    size = ready.topology if ready else None
    measure = {exercise.id: exercise for exercise in exercises}
    return {
        "schema": SCHEMA,
        "run_id": line(begun.run_id) if begun else "",
        "started_at": line(begun.started_at) if begun else "",
        "finished_at": line(ended.finished_at) if ended else None,
        "provider": line(provided.provider) if provided else "",
        "topology": {"managers": size.managers, "workers": size.workers} if size else None,
        "engine_version": line(ready.engine_version) if ready else None,
        "kernel": line(ready.kernel) if ready else None,
        "kernel_source": line(ready.kernel_source) if ready else None,
        "images": images(record),
        "exercises": [
            _exercise(record, selected, measure.get(selected.id))
            for selected in each(record, ExerciseSelected)
        ],
        "time": account(record),
    }


def images(record: Record) -> list[dict[str, str]]:
    """Reference, origin and detail of every image that the run's clusters carried."""
    found: dict[str, dict[str, str]] = {}
    for ready in each(record, ClusterReady):
        for image in ready.images:
            found[image.reference] = {
                "reference": line(image.reference, 2000),
                "origin": image.origin if image.origin in ORIGINS else "registry",
                "detail": line(image.detail, 2000),
            }
    return list(found.values())


def _exercise(
    record: Record, selected: ExerciseSelected, judged: Exercise | None
) -> dict[str, Any]:
    verdicts: dict[str, Checked] = {}
    for check in each(record, Checked):
        # A test that was run again does not take back what was found before: the worst stays.
        before = verdicts.get(check.id, check)
        both = [Verdict(one.verdict) for one in (before, check)]
        verdicts[check.id] = before if overall(both) is both[0] else check
    failures = each(record, Problem, infrastructure=True)
    why = NO_LAB.format(message=line(failures[-1].message)) if failures else NOT_REACHED
    able = record.capabilities()
    checks = []
    announced = {declared.id for declared in selected.checks}
    # What was judged is told, also of a phase of which nobody had said that it would be performed.
    others = [
        CheckDeclared(check.id, check.phase, check.title, check.expected, check.hint, needs=())
        for check in verdicts.values()
        if check.exercise == selected.id and check.id not in announced
    ]
    for declared in (*selected.checks, *others):
        found = verdicts.get(declared.id) or _unjudged(declared.needs, able, why)
        checks.append(
            {
                "id": declared.id,
                "title": line(declared.title),
                "verdict": Verdict(found.verdict).value,
                "expected": clean(declared.expected),
                "observed": clean(found.observed, 2000),
                "hint": clean(declared.hint),
            }
        )
    return {
        "id": selected.id,
        "title": line(selected.title),
        "verdict": overall(Verdict(check["verdict"]) for check in checks).value,
        "checks": checks,
        "measurements": _figures(record, selected.id, judged),
        "machine": _machine(record, selected.id),
    }


def _figures(record: Record, exercise: str, judged: Exercise | None) -> dict[str, Any]:
    """Phase → what was measured; as it was recorded where it can't be measured again."""
    if judged:
        # What a cluster says may be no number: figures less must not cost the report.
        with contextlib.suppress(Exception):
            measured: dict[str, Any] = judged.measurements(record)
            return measured
    return {
        measured.phase: dict(measured.values)
        for measured in each(record, Measured, exercise=exercise)
    }


def _unjudged(needs: Iterable[str], able: Mapping[str, bool], why: str) -> Judgement:
    """The verdict on a check that nobody judged: `not_provable` if these machines can't do it.

    A test ends with its first phase that can't be proven; its later phases are not begun.
    """
    lacks = [Capability(need).lack for need in needs if able.get(need) is False]
    verdict = Verdict.NOT_PROVABLE if lacks else Verdict.UNKNOWN
    return Judgement(verdict, "; ".join(lacks) or why)


def _machine(record: Record, exercise: str) -> dict[str, Any]:
    """Phase → how busy this machine was during it, and how many other clusters were beside."""
    return {
        load.during.removeprefix(f"{exercise}/"): {"idle": load.idle, "beside": load.beside}
        for load in each(record, MachineLoad)
        if load.during.startswith(f"{exercise}/")
    }


def write_results(directory: Path, results: dict[str, Any]) -> Path:
    """Write results.json whole or not at all; returns its path."""
    path = directory / "results.json"
    making = path.with_suffix(".json.new")
    text = json.dumps(results, indent=2, ensure_ascii=False) + "\n"
    # JSON's own escape for half a surrogate pair, which has no UTF-8.
    making.write_text(text, encoding="utf-8", errors="backslashreplace")
    making.replace(path)
    return path


def point_latest(run: Path) -> str | None:
    """Make ``latest`` beside the run's directory point at it, in one step; or say why it can't.

    There may be a directory of that name, or a file system without links (folders that a virtual
    machine shares with its host): the run's own directory is complete all the same.
    """
    making, latest = run.parent / f".latest-{os.getpid()}", run.parent / "latest"
    try:
        making.unlink(missing_ok=True)
        making.symlink_to(run.name)
        making.replace(latest)
    except OSError as error:
        making.unlink(missing_ok=True)
        return f"{latest} does not point at this run: {error.strerror}"
    return None
