"""What is observed is on disk before anybody hears of it, and can be read back."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pytest_swarmlab.errors import ConfigError
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


def test_a_missing_record_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere.jsonl can't be read|cannot be read"):
        Record.load(tmp_path / "nowhere.jsonl")
