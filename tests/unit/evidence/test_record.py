"""What is observed is on disk before anybody hears of it, and can be read back."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pytest_swarmlab.errors import ConfigError, Unseen
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.model import Event


def test_an_event_is_on_disk_before_a_listener_hears_of_it(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    recorder = Recorder(path)
    on_disk: list[list[Event]] = []
    recorder.listen(lambda _: on_disk.append(list(Record.load(path))))
    recorder.record("nodes", seen_from="manager1")
    recorder.close()
    assert [event.data for event in on_disk[0]] == [{"seen_from": "manager1"}]


def test_what_is_judged_is_what_was_written(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "events.jsonl")
    with recorder.phase("2.2/power-off"):
        recorder.record("request", node="worker1", error=None)
    seen = recorder.view()
    recorder.close()
    assert Record.load(recorder.path) == seen
    assert [e.kind for e in seen.phase("2.2/power-off")] == [
        "phase.started",
        "request",
        "phase.finished",
    ]


def test_threads_do_not_tear_each_others_lines(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "events.jsonl")
    with ThreadPoolExecutor(8) as pool:
        for number in range(400):
            pool.submit(recorder.record, "request", number=number)
    recorder.close()
    events = Record.load(recorder.path).events
    assert [e.seq for e in events] == list(range(400))
    assert {e.data["number"] for e in events} == set(range(400))
    assert [e.t for e in events] == sorted(e.t for e in events)


def test_a_worker_s_events_say_so_on_the_run_s_clock_and_others_say_nothing(
    tmp_path: Path,
) -> None:
    own = Recorder(tmp_path / "own.jsonl", clock=lambda: 107.5)
    workers = Recorder(tmp_path / "workers.jsonl", clock=lambda: 107.5, worker="gw1", started=100.0)
    assert (own.record("notice").worker, own.record("notice").t) == ("", 0.0)
    assert (workers.record("notice").worker, workers.record("notice").t) == ("gw1", 7.5)
    for recorder in (own, workers):
        recorder.close()
        assert Record.load(recorder.path) == recorder.view()
    assert '"worker"' not in own.path.read_text(encoding="utf-8")


def test_an_adopted_event_has_a_new_number_and_is_heard_of(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "events.jsonl")
    heard: list[Event] = []
    recorder.listen(heard.append)
    recorder.record("notice", message="mine")
    there = Event(17, 3.5, "then", "thing", "2.2/kill-9", {"what": "x"}, "gw0")
    adopted = recorder.adopt(there)
    recorder.close()
    assert adopted == Event(1, 3.5, "then", "thing", "2.2/kill-9", {"what": "x"}, "gw0")
    assert heard[1:] == [adopted]
    assert Record.load(recorder.path).events[1] == adopted


def test_half_a_surrogate_pair_is_written_and_read_back(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "events.jsonl")
    recorder.record("notice", message="half \ud83d, é")
    recorder.close()
    (event,) = Record.load(recorder.path)
    assert event.data["message"] == "half \ud83d, é"


def test_the_last_line_of_a_killed_run_may_be_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    recorder = Recorder(path)
    recorder.record("notice", message="whole")
    recorder.close()
    path.write_text(path.read_text(encoding="utf-8") + '{"seq": 1, "t"', encoding="utf-8")
    assert len(Record.load(path).events) == 1


def test_another_broken_line_is_refused_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text("no event\n" + json.dumps({"seq": 0}) + "\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="line 1 is not an event"):
        Record.load(path)


@pytest.mark.parametrize("worker", [7, None, ["gw0"], {}])
def test_a_worker_that_is_no_name_is_refused(tmp_path: Path, worker: Any) -> None:
    line = {"seq": 0, "t": 0.0, "at": "", "kind": "notice", "phase": "", "worker": worker}
    path = tmp_path / "events.jsonl"
    path.write_text(2 * f"{json.dumps(line)}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="line 1 is not an event"):
        Record.load(path)


@pytest.mark.parametrize("moment", ["1e400", "NaN", "1" + "0" * 400, "true", '"1"'])
def test_a_time_that_is_none_is_refused(tmp_path: Path, moment: str) -> None:
    line = f'{{"seq": 0, "t": {moment}, "at": "", "kind": "notice", "phase": ""}}\n'
    path = tmp_path / "events.jsonl"
    path.write_text(2 * line, encoding="utf-8")
    with pytest.raises(ConfigError, match="line 1 is not an event"):
        Record.load(path)


def test_a_missing_record_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere.jsonl can't be read|cannot be read"):
        Record.load(tmp_path / "nowhere.jsonl")


def test_a_line_may_be_cut_within_a_character(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    recorder = Recorder(path)
    recorder.record("notice", message="whole")
    recorder.record("notice", message="é")
    recorder.close()
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.rindex("é".encode()) + 1])
    assert [event.data["message"] for event in Record.load(path)] == ["whole"]


@pytest.mark.parametrize("said", ["a\u2028b", "a\x85b", "a\x0b\x1cb", "a\r\nb", "漢 🐳"])
def test_what_a_node_printed_never_breaks_a_line(tmp_path: Path, said: str) -> None:
    recorder = Recorder(tmp_path / "events.jsonl")
    recorder.record("command", stdout=said)
    recorder.record("command", stdout="another")
    recorder.close()
    assert [e.data["stdout"] for e in Record.load(recorder.path)] == [said, "another"]


def test_what_json_cannot_hold_is_judged_as_it_will_be_read(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "events.jsonl")
    rows = [{"name": "manager1"}]
    recorder.record("seen", pair=("a", "b"), path=Path("/a"), rows=rows)
    rows[0]["name"] = "changed later"
    seen = recorder.view()
    recorder.close()
    assert seen == Record.load(recorder.path)
    assert seen.events[0].data == {
        "pair": ["a", "b"],
        "path": "/a",
        "rows": [{"name": "manager1"}],
    }


def test_times_are_seconds_since_the_run_began(tmp_path: Path) -> None:
    now = 1000.0
    recorder = Recorder(tmp_path / "events.jsonl", clock=lambda: now)
    first = recorder.record("notice")
    now = 1012.5
    assert (first.t, recorder.record("notice").t, recorder.now()) == (0.0, 12.5, 12.5)
    recorder.close()


def test_a_phase_ends_with_its_block_also_in_an_error(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "events.jsonl")
    with pytest.raises(KeyboardInterrupt), recorder.phase("2.2/kill-9"):
        raise KeyboardInterrupt
    after = recorder.record("notice")
    finished = recorder.view().last("phase.finished")
    recorder.close()
    assert finished is not None
    assert (finished.phase, after.phase) == ("2.2/kill-9", "")


def test_a_phase_marks_what_other_threads_record_too(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "events.jsonl")
    with recorder.phase("2.2/kill-9"), ThreadPoolExecutor(1) as pool:
        pool.submit(recorder.record, "request").result()
    (request,) = recorder.view().of("request")
    recorder.close()
    assert request.phase == "2.2/kill-9"


def test_events_are_found_by_kind_and_by_what_they_hold(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "events.jsonl")
    for node, error in (("a", None), ("b", "timeout"), ("b", None)):
        recorder.record("request", node=node, error=error)
    recorder.record("write", node="b", error=None)
    record = recorder.view()
    recorder.close()
    assert [e.seq for e in record.of("request", node="b")] == [1, 2]
    assert [e.seq for e in record.of("request", "write", error=None)] == [0, 2, 3]
    first, last = record.first("request", node="b"), record.last("request", node="b")
    assert first is not None
    assert last is not None
    assert (first.seq, last.seq) == (1, 2)
    assert record.first("nodes") is record.last("nodes") is None


def test_what_a_judge_needs_is_there_or_said_to_be_missing(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "events.jsonl")
    for node in ("a", "b"):
        recorder.record("backup", node=node)
    record = recorder.view()
    recorder.close()
    assert record.need("backup", "no backup was taken").seq == 1
    assert record.need("backup", "no backup was taken", node="a").seq == 0
    with pytest.raises(Unseen, match="no backup was taken"):
        record.need("backup", "no backup was taken", node="c")


def test_each_time_that_a_drill_was_begun_is_judged_by_itself(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "events.jsonl")
    for cluster in ("first", "second"):
        recorder.record("cluster.ready", capabilities={"ipvs": cluster == "second"})
        with recorder.phase("2.2/demotion"):
            recorder.record("seen", on=cluster)
            with recorder.phase("2.2/within"):
                recorder.record("seen", on="within")
            recorder.record("seen", on=cluster)
        recorder.record("machine.load", during="2.2/demotion", on=cluster)
    run = recorder.view()
    recorder.close()
    first, second = run.performances("2.2/demotion")
    for times, name in ((first, "first"), (second, "second")):
        seen = times.phase("2.2/demotion").of("seen")
        assert [event.data["on"] for event in seen] == [name, name]
        assert [event.data["on"] for event in times.of("machine.load")] == [name]
        assert len(times.of("cluster.ready")) == 2
    assert first.before_end_of("2.2/demotion").capabilities() == {"ipvs": False}
    assert second.before_end_of("2.2/demotion").capabilities() == {"ipvs": True}
    assert run.performances("2.2/never") == [run]
