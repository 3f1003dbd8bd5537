"""Whatever a cluster says, reports are whole, small and inert, and verdicts are given."""

from __future__ import annotations

import functools
import io
import json
from collections.abc import Iterator
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from random import Random
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swarmlab.evidence.merging import Merger
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.judging.exercise import Exercise
from pytest_swarmlab.model import Capability, Event
from pytest_swarmlab.reporting.html import page
from pytest_swarmlab.reporting.results import build_results, write_results
from pytest_swarmlab.reporting.terminal import Narration
from tests.unit.exercises.test_every_check_can_fail import EXERCISES, _good, phase_of
from tests.unit.records.editing import kind, without
from tests.unit.records.hostile import EVIL, JSON, SAID, few, saying
from tests.unit.records.synthetic import THREE_DRILLS, run_events

UNSEEN = {"\x1b", "\x00", "\u202e", "\x9b", "\u2028", "\u2066"}
"""What must be in nothing that is shown."""

PHASES = [
    (exercise, phase)
    for exercise in EXERCISES
    for phase in sorted({phase_of(check) for check in exercise.checks})
]

SEEDS = st.integers(0, 2**32)

SCHEMA = json.loads(
    (files("pytest_swarmlab.reporting") / "results.schema.json").read_text(encoding="utf-8")
)

READY = next(event.data for event in run_events(THREE_DRILLS[:1]) if event.kind == "cluster.ready")


def phase_said(exercise: Exercise, phase: str, word: str, seed: int) -> Record:
    """A good run of that phase, the cluster of which says such words."""
    good = without(_good(exercise.phase(phase)), kind("cluster.ready"))
    return saying(Record((*_before(exercise), *good)), word, seed)


@functools.cache
def _before(exercise: Exercise) -> tuple[Event, ...]:
    checks = [
        {"id": c.id, "phase": c.phase, "title": c.title, "expected": c.expected, "hint": c.hint,
         "needs": c.needs}
        for c in exercise.checks
    ]  # fmt: skip
    selected = {
        "id": exercise.id, "title": exercise.title, "module": exercise.module,
        "titles": exercise.titles, "comparison": exercise.comparison,
        "distribution": exercise.distribution, "checks": checks,
    }  # fmt: skip
    able = {str(c): True for c in Capability}
    rows: tuple[tuple[str, dict[str, Any]], ...] = (
        ("run.started", {"run_id": "r", "started_at": "", "provider": "uml", "version": "0"}),
        ("exercise.selected", selected),
        ("cluster.ready", {**READY, "capabilities": able}),
    )
    return tuple(Event(n, 0.0, "", name, "", data) for n, (name, data) in enumerate(rows))


def judged(exercise: Exercise, phase: str, said: Record) -> Record:
    """With the verdicts on it, as a run records them, and some words of the lab's own trouble."""
    about = {"exercise": exercise.id, "phase": exercise.phase(phase)}
    verdicts = [
        Event(0, 999.0, "", "check", exercise.phase(phase), about | asdict(result))
        for result in exercise.judge(said, phase)
    ]
    return Record((*said.events, *verdicts))


@given(st.sampled_from(PHASES), SAID, SEEDS)
def test_what_a_cluster_says_is_judged_and_in_results_json_as_text(
    tmp_path: Path, phase: tuple[Exercise, str], word: str, seed: int
) -> None:
    said = phase_said(*phase, word, seed)
    results = build_results(judged(*phase, said), [phase[0]])
    path = write_results(tmp_path, results)
    found = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.validate(found, SCHEMA)
    json.dumps(results, allow_nan=False)
    assert path.stat().st_size < 400_000


@few()
@given(st.sampled_from(PHASES), SAID, SEEDS)
def test_a_page_shows_what_a_cluster_says_as_text(
    phase: tuple[Exercise, str], word: str, seed: int
) -> None:
    said = judged(*phase, phase_said(*phase, word, seed))
    shown = page(said, build_results(said, [phase[0]]))
    shown.encode()
    assert EVIL[:11] not in shown
    assert "57337" not in shown or "{{" not in word
    assert not UNSEEN & set(shown)
    assert len(shown) < 3_000_000


@few()
@given(SAID, SEEDS)
def test_a_picture_shows_what_a_cluster_says_as_text(word: str, seed: int) -> None:
    said = saying(Record(tuple(run_events(THREE_DRILLS[:1]))), word, seed)
    shown = page(said, build_results(said, []))
    assert EVIL[:11] not in shown
    assert not UNSEEN & set(shown)


@given(SAID, SEEDS)
def test_the_terminal_shows_what_a_cluster_says_as_text(word: str, seed: int) -> None:
    out = io.StringIO()
    narration = Narration(out)
    # Made up records of others don't hold all that real events do.
    for event in saying(Record(tuple(run_events(THREE_DRILLS[:1]))), word, seed):
        narration.hear(event)
    for name, data in (
        ("notice", {"message": word}),
        ("change", {"node": word, "what": word, "undone": word}),
        ("cluster.kept", {"cluster": word, "shell": word, "engine": word, "nodes": [word]}),
        ("node.up", {"node": word}),
        ("stage.failed", {"name": word, "error": word, "seconds": 1.0}),
    ):
        narration.hear(Event(0, 1.0, "", name, "", data, worker=word))
    out.getvalue().encode()
    assert not UNSEEN & set(out.getvalue())
    assert max(map(len, out.getvalue().splitlines())) < 5000


@given(st.sampled_from(PHASES), SEEDS, JSON)
def test_any_event_of_a_saved_run_may_hold_anything_and_is_judged(
    phase: tuple[Exercise, str], seed: int, value: Any
) -> None:
    exercise, name = phase
    random = Random(seed)  # noqa: S311 - no secret depends on it
    events = list(_good(exercise.phase(name)))
    for at in random.sample(range(len(events)), min(3, len(events))):
        event = events[at]
        key = random.choice([*event.data, "more"])
        events[at] = Event(
            event.seq, event.t, event.at, event.kind, event.phase, {**event.data, key: value}
        )
    results = exercise.judge(Record(tuple(events)), name)
    assert all(isinstance(result.observed, str) for result in results)


CUTS = st.lists(st.integers(0, 400), max_size=6)


@given(st.lists(st.lists(st.dictionaries(SAID, JSON, max_size=3), max_size=5), max_size=3), CUTS)
def test_whatever_workers_record_is_in_the_run_s_record_once_and_in_their_order(
    tmp_path_factory: pytest.TempPathFactory, said: list[list[dict[str, Any]]], cuts: list[int]
) -> None:
    directory = tmp_path_factory.mktemp("merged")
    parts = directory / "workers"
    parts.mkdir()
    grown: dict[Path, bytes] = {}
    for number, events in enumerate(said):
        part = directory / f"gw{number}.jsonl"
        recorder = Recorder(part, worker=f"gw{number}")
        for data in events:
            recorder.record("said", data=data)
        recorder.close()
        grown[parts / part.name] = part.read_bytes()
    whole = Recorder(directory / "events.jsonl")
    merger = Merger(parts, whole)
    for cut in sorted(cuts):
        for path, content in grown.items():
            path.write_bytes(content[:cut])
        merger._take_over()
    for path, content in grown.items():
        path.write_bytes(content)
    merger.stop()
    seen = whole.view()
    whole.close()
    assert repr(Record.load(whole.path)) == repr(seen)
    for number, events in enumerate(said):
        mine = [event.data["data"] for event in seen if event.worker == f"gw{number}"]
        assert repr(mine) == repr(list(_as_recorded(events)))


def _as_recorded(events: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for data in events:
        yield json.loads(json.dumps(data))
