"""The parts of several workers become one record, and it gives the verdicts that they gave."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from pytest_swarmlab.evidence.merging import Merger, whole
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.judging.exercise import Exercise, failed, passed, unknown
from pytest_swarmlab.model import Capability, Event, Judgement, Verdict
from pytest_swarmlab.reporting.html import page
from pytest_swarmlab.reporting.results import build_results
from tests.exercises.exercise_2_2.verify import exercise as exercise_2_2
from tests.unit.records.synthetic import Drill, run_events


def merged(directory: Path, parts: Mapping[str, Iterable[Event]]) -> Record:
    """What the merger makes of these parts."""
    there = directory / "workers"
    there.mkdir()
    for worker, events in parts.items():
        lines = [json.dumps(asdict(replace(e, worker=worker))) + "\n" for e in events]
        (there / f"{worker}.jsonl").write_text("".join(lines), encoding="utf-8")
    recorder = Recorder(directory / "events.jsonl")
    Merger(there, recorder).stop()
    recorder.close()
    assert not there.exists()
    return Record.load(recorder.path)


def cluster(ipvs: bool) -> dict[str, Any]:
    return {"capabilities": {**{str(c): True for c in Capability}, str(Capability.IPVS): ipvs}}


def drill(phase: str, *things: str, start: float = 0.0, ipvs: bool = True) -> list[Event]:
    """A worker's part: a cluster, and a drill in which these things were seen, one a second."""
    rows: list[tuple[str, str, dict[str, Any]]]
    rows = [("cluster.ready", "", cluster(ipvs)), ("phase.started", phase, {"name": phase})]
    rows += [("thing", phase, {"what": thing}) for thing in things]
    rows += [("phase.finished", phase, {"name": phase})]
    return [
        Event(n, start + n, "2026-05-04T10:00:00+00:00", kind, where, data)
        for n, (kind, where, data) in enumerate(rows)
    ]


@pytest.fixture
def exercise() -> Exercise:
    """Passes when every thing of the drill is good; its second drill needs IPVS."""
    made = Exercise("9.9", "An exercise", module="somewhere")

    @made.check("good", phases=["a"], title="t", expected="e", hint="h")
    @made.check("good", phases=["b"], title="t", expected="e", hint="h", needs=[Capability.IPVS])
    def good(record: Record) -> Judgement:
        seen = [e.data["what"] for e in record.of("thing")]
        if not seen:
            return unknown("nothing was seen")
        return (passed if set(seen) == {"good"} else failed)(", ".join(seen))

    @made.measure(phases=["a", "b"])
    def things(record: Record) -> dict[str, int]:
        return {"things": len(record.of("thing"))}

    return made


def test_events_come_in_the_order_of_their_times_and_say_whose_they_are(tmp_path: Path) -> None:
    record = merged(
        tmp_path,
        {"gw0": drill("9.9/a", "good", start=0.5), "gw1": drill("9.9/b", "good", "good")},
    )
    assert [e.seq for e in record] == list(range(len(record.events)))
    assert [e.t for e in record] == sorted(e.t for e in record)
    assert {e.worker for e in record.phase("9.9/a")} == {"gw0"}
    assert {e.worker for e in record.phase("9.9/b")} == {"gw1"}


def test_each_workers_events_are_those_it_recorded(tmp_path: Path) -> None:
    parts = {"gw0": drill("9.9/a", "good", "bad"), "gw1": drill("9.9/b", "good")}
    record = merged(tmp_path, parts)
    for worker, events in parts.items():
        mine = [(e.t, e.kind, e.phase, e.data) for e in record if e.worker == worker]
        assert mine == [(e.t, e.kind, e.phase, e.data) for e in events]


def test_two_clusters_in_one_drill_are_judged_apart_and_the_worst_stays(
    tmp_path: Path, exercise: Exercise
) -> None:
    record = merged(
        tmp_path,
        {"gw0": drill("9.9/a", "good", "good"), "gw1": drill("9.9/a", "bad", start=0.2)},
    )
    (found,) = exercise.judge(record, "a")
    assert (found.verdict, found.observed) == (Verdict.FAIL, "bad")
    assert exercise.measurements(record)["a"] == {"things": 1}


def test_what_a_cluster_can_do_says_nothing_of_another(tmp_path: Path, exercise: Exercise) -> None:
    # The cluster of the drill has IPVS; the other one is ready after it, and has none.
    record = merged(
        tmp_path,
        {
            "gw0": drill("9.9/b", "good", "good", "good"),
            "gw1": drill("9.9/a", "good", start=1.5, ipvs=False),
        },
    )
    assert [r.verdict for r in exercise.judge(record)] == [Verdict.PASS, Verdict.PASS]


def test_a_drill_that_was_not_begun_is_judged_by_the_cluster_on_which_it_was_not(
    tmp_path: Path, exercise: Exercise
) -> None:
    def check(phase: str) -> Event:
        return Event(9, 9.0, "", "check", "", {"phase": phase, "id": "9.9.b.good"})

    poor = [*drill("9.9/a", "good", ipvs=False), check("9.9/b")]
    record = merged(tmp_path, {"gw0": poor, "gw1": drill("9.9/x", "good", start=3)})
    (found,) = exercise.judge(record, "b")
    assert found.verdict is Verdict.NOT_PROVABLE


def test_what_every_worker_says_of_the_run_is_there_once(tmp_path: Path) -> None:
    selected = Event(0, 0.0, "", "exercise.selected", "", {"id": "9.9", "checks": []})
    other = replace(selected, data={"id": "9.8", "checks": []})
    record = merged(tmp_path, {"gw0": [selected, other], "gw1": [selected, other]})
    assert [(e.data["id"], e.worker) for e in record.of("exercise.selected")] == [
        ("9.9", ""),
        ("9.8", ""),
    ]


def test_a_line_that_a_killed_worker_did_not_finish_is_left_out(tmp_path: Path) -> None:
    there = tmp_path / "workers"
    there.mkdir()
    part = there / "gw0.jsonl"
    whole = json.dumps(asdict(Event(0, 0.0, "", "notice", "", {"message": "é"})))
    part.write_bytes(f"{whole}\n{whole[:30]}".encode())
    recorder = Recorder(tmp_path / "events.jsonl")
    merger = Merger(there, recorder)
    assert len(recorder.view().events) == 1
    with part.open("a", encoding="utf-8") as file:
        file.write(f"{whole[30:]}\n{whole[:7]}")
    merger.stop()
    merger.stop()
    recorder.close()
    assert [e.data for e in Record.load(recorder.path)] == [{"message": "é"}] * 2


DRILLS = {
    "gw0": [
        Drill("2.2/graceful-stop", "stop-engine", error_share=0),
        Drill("2.2/demotion", "demote", error_share=0, elected=0.6, heal=10, ends=20),
    ],
    "gw1": [Drill("2.2/kill-9", "kill-engine", leader="manager2", successor="manager1")],
    "gw2": [Drill("2.2/power-off", "power-off", error_share=0, back=80, ends=90, seed=3)],
}


def test_failovers_side_by_side_give_the_verdicts_figures_and_pictures_of_each(
    tmp_path: Path,
) -> None:
    parts = {worker: run_events(drills) for worker, drills in DRILLS.items()}
    record = merged(tmp_path, parts)
    for worker, drills in DRILLS.items():
        alone = Record(tuple(parts[worker]))
        for phase in (drill.phase.partition("/")[2] for drill in drills):
            assert exercise_2_2.judge(record, phase) == exercise_2_2.judge(alone, phase)
            figures = exercise_2_2.measurements(record, phase)
            assert figures == exercise_2_2.measurements(alone, phase) != {}
            (mine,) = record.performances(f"2.2/{phase}")
            assert [e.data for e in mine.phase(f"2.2/{phase}")] == [
                e.data for e in alone.phase(f"2.2/{phase}")
            ]


def test_the_page_shows_one_cluster_s_drill_where_two_went_through_it(tmp_path: Path) -> None:
    drills = DRILLS["gw0"][:1]
    twice = merged(tmp_path, {"gw0": run_events(drills), "gw1": run_events(drills)})
    alone = Record(tuple(run_events(drills)))

    def asked(record: Record) -> str:
        return page(record, build_results(record, [])).partition("Clients asked ")[2][:40]

    assert asked(twice) == asked(alone) != ""


def test_figures_are_those_that_were_recorded_where_the_exercise_is_not_at_hand(
    tmp_path: Path,
) -> None:
    selected = {"id": "9.9", "title": "An exercise", "checks": []}
    measured = {"exercise": "9.9", "phase": "a", "values": {"things": 3}}
    events = [
        Event(0, 0.0, "", "exercise.selected", "", selected),
        Event(1, 1.0, "", "measured", "", measured),
    ]
    (found,) = build_results(merged(tmp_path, {"gw0": events}), [])["exercises"]
    assert found["measurements"] == {"a": {"things": 3}}


# -- what is left where the process that led the workers was killed -------------------------------


def left_behind(run: Path, parts: Mapping[str, list[Event]], taken: Mapping[str, int]) -> None:
    """A run of which so many events of each worker were taken over."""
    (run / "workers").mkdir(parents=True)
    recorder = Recorder(run / "events.jsonl")
    for worker, events in parts.items():
        mine = [replace(event, worker=worker) for event in events]
        lines = [json.dumps(asdict(event)) + "\n" for event in mine]
        (run / "workers" / f"{worker}.jsonl").write_text("".join(lines), encoding="utf-8")
        for event in mine[: taken[worker]]:
            recorder.adopt(event)
    recorder.close()


def contents(record: Record) -> list[tuple[str, float, str, Mapping[str, Any]]]:
    return [(e.worker, e.t, e.kind, e.data) for e in record]


@pytest.mark.parametrize(
    "taken", [{"gw0": 0, "gw1": 0}, {"gw0": 3, "gw1": 1}, {"gw0": 5, "gw1": 4}]
)
def test_what_nobody_took_over_is_read_once(tmp_path: Path, taken: Mapping[str, int]) -> None:
    parts = {"gw0": drill("9.9/a", "good", "good"), "gw1": drill("9.9/b", "good", start=0.5)}
    left_behind(tmp_path, parts, taken)
    record = whole(tmp_path)
    assert [e.seq for e in record] == list(range(9))
    for worker, events in parts.items():
        mine = [each for each in contents(record) if each[0] == worker]
        assert mine == contents(Record(tuple(replace(e, worker=worker) for e in events)))
    # Nothing was written: whoever reads it next, or the run itself, finds it as it was.
    assert len(Record.load(tmp_path / "events.jsonl").events) == sum(taken.values())
    assert contents(whole(tmp_path)) == contents(record)


def test_what_is_so_for_the_whole_run_is_there_once_though_each_worker_says_it(
    tmp_path: Path,
) -> None:
    selected = Event(0, 0.0, "", "exercise.selected", "", {"id": "9.9", "checks": []})
    left_behind(
        tmp_path,
        {"gw0": [selected, *drill("9.9/a", "good")], "gw1": [selected, *drill("9.9/b", "good")]},
        {"gw0": 0, "gw1": 0},
    )
    record = whole(tmp_path)
    assert [(e.worker, e.data["id"]) for e in record.of("exercise.selected")] == [("", "9.9")]
    assert len(record.events) == 9


def test_lines_that_were_cut_short_are_told_and_no_event_is_lost_by_that(tmp_path: Path) -> None:
    left_behind(tmp_path, {"gw0": drill("9.9/a", "good", "good")}, {"gw0": 3})
    run_s, part = tmp_path / "events.jsonl", tmp_path / "workers" / "gw0.jsonl"
    lines = run_s.read_bytes().splitlines(keepends=True)
    run_s.write_bytes(b"".join(lines[:2]) + lines[2][:20])
    part.write_bytes(part.read_bytes() + b'{"seq": 5')
    record = whole(tmp_path)
    assert [e.kind for e in record] == [e.kind for e in drill("9.9/a", "good", "good")]
    assert record.left_out == (
        "the last line, 3, is cut short; gw0.jsonl: the last line, 6, is cut short"
    )


def test_a_run_without_workers_is_its_record(tmp_path: Path) -> None:
    left_behind(tmp_path, {}, {})
    (tmp_path / "workers").rmdir()
    assert whole(tmp_path) == Record.load(tmp_path / "events.jsonl")
