"""Whatever a cluster says, and whatever a file of a run holds, ends as text or as a sentence."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swarmlab.errors import ConfigError
from pytest_swarmlab.evidence import readings, record, recorder
from pytest_swarmlab.evidence.merging import whole
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.evidence.recorder import LONGEST, Recorder
from pytest_swarmlab.judging.again import judge_again
from pytest_swarmlab.judging.catalogue import Catalogue
from pytest_swarmlab.model import Event
from pytest_swarmlab.reporting.terminal import Narrator
from pytest_swarmlab.swarm.stack_files import load
from tests.unit.records.hostile import JSON, WORDS, refusal
from tests.unit.records.synthetic import THREE_DRILLS, run_events


def written(directory: Path, *events: dict[str, Any]) -> Path:
    path = directory / "events.jsonl"
    path.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
    return path


@given(st.binary(max_size=400))
def test_any_bytes_are_a_record_or_are_refused_in_one_sentence(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(raw)
    assert "\n" not in refusal(lambda: Record.load(path))


@given(st.fixed_dictionaries(dict.fromkeys(("seq", "t", "at", "kind", "phase", "data"), JSON)))
def test_an_event_of_any_values_is_one_or_is_refused(tmp_path: Path, event: dict[str, Any]) -> None:
    good = {"seq": 0, "t": 0.0, "at": "", "kind": "x", "phase": "", "data": {}}
    path = written(tmp_path, event, good)
    if said := refusal(lambda: Record.load(path)):
        assert "line 1 is not an event" in said
    else:
        found = Record.load(path).events[0]
        assert isinstance(found.t, int | float)
        assert isinstance(found.data, dict)


@given(st.dictionaries(WORDS, JSON, max_size=4))
def test_what_is_recorded_is_what_is_read_again(tmp_path: Path, data: dict[str, Any]) -> None:
    (tmp_path / "events.jsonl").unlink(missing_ok=True)
    writer = Recorder(tmp_path / "events.jsonl")
    writer.record("said", data=data)
    seen = writer.view()
    writer.close()
    assert repr(Record.load(writer.path)) == repr(seen)


KINDS = ("nodes", "tasks", "request", "entry", "entries", "fault.injected", "fault.healed", "raft")


@given(st.lists(st.tuples(st.sampled_from(KINDS), st.dictionaries(WORDS, JSON)), max_size=5))
def test_measurements_bear_events_of_any_values(events: list[tuple[str, dict[str, Any]]]) -> None:
    said = Record(
        tuple(Event(n, float(n), "", kind, "p", data) for n, (kind, data) in enumerate(events))
    )
    readings.failover_measurements(said, wanted=5)
    readings.leader_spans(said)
    readings.ledger(said, "x")


@given(WORDS)
def test_a_narration_shows_any_words_as_text(words: str) -> None:
    out = io.StringIO()
    narrator = Narrator(out)
    hostile = json.loads(json.dumps(words))
    for event in run_events(THREE_DRILLS[:1])[:12]:
        rows = [{**row, "name": hostile} for row in event.data.get("nodes") or []
                if isinstance(row, dict)]  # fmt: skip
        changed = {"nodes": rows} if event.kind == "nodes" else {}
        narrator.hear(Event(0, event.t, "", event.kind, "", {**event.data, **changed}))
    for kind, key in (("notice", "message"), ("stage.failed", "name"), ("phase.started", "name")):
        narrator.hear(Event(0, 1.0, "", kind, "", {key: hostile}))
    out.getvalue().encode()  # no half of a surrogate pair
    assert not {"\x1b", "\x00", "\u202e", "\x9b"} & set(out.getvalue())


@given(st.binary(max_size=300))
def test_any_bytes_are_a_stack_file_or_are_refused_in_one_sentence(
    tmp_path: Path, raw: bytes
) -> None:
    path = tmp_path / "stack.yml"
    path.write_bytes(raw)
    said = refusal(lambda: load([path], stack="web", env={}))
    assert not said or str(path) in said


@given(JSON, JSON, JSON)
def test_a_stack_file_of_any_values_is_carried_or_refused(
    tmp_path: Path, configs: Any, services: Any, secrets: Any
) -> None:
    path = tmp_path / "stack.yml"
    content = {"configs": configs, "services": services, "secrets": secrets}
    path.write_text(json.dumps(content), encoding="utf-8")
    said = refusal(lambda: load([path], stack="web", env={}))
    assert not said or str(path) in said


def test_a_last_line_that_is_cut_is_said_to_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with path.open("wb") as file:
        file.write(b'{"seq": 0, "t": 0.0, "at": "", "kind": "x", "phase": "", "data": {}}\n{"se')
    assert Record.load(path).left_out == "the last line, 2, is cut short"


def test_a_file_that_no_run_writes_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "LARGEST", 2**20)
    with (tmp_path / "events.jsonl").open("wb") as file:
        file.truncate(3 * 2**20)
    with pytest.raises(ConfigError, match=r"has 3 MiB, more than the 1 of any run"):
        Record.load(tmp_path / "events.jsonl")


def test_parts_of_workers_that_no_run_writes_are_refused_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "LARGEST", 2**20)
    written(tmp_path)
    (tmp_path / "workers").mkdir()
    (tmp_path / "workers" / "gone.jsonl").symlink_to("nowhere")
    for number in range(3):
        with (tmp_path / "workers" / f"gw{number}.jsonl").open("wb") as file:
            file.truncate(2**19)
    with pytest.raises(ConfigError, match=r"what lies in .*workers has 1 MiB, more than the 1 of"):
        whole(tmp_path)


def test_a_node_that_prints_without_end_does_not_fill_the_record(tmp_path: Path) -> None:
    writer = Recorder(tmp_path / "events.jsonl")
    event = writer.record("command", argv=["yes"], stdout="y\n" * LONGEST)
    writer.close()
    assert event.data["stdout"].endswith(recorder.CUT.format(more=LONGEST))
    assert writer.path.stat().st_size < 2 * LONGEST


def test_half_of_a_surrogate_pair_is_recorded_as_json_can_say_it(tmp_path: Path) -> None:
    writer = Recorder(tmp_path / "events.jsonl")
    writer.record("nodes", name="\ud800")
    writer.close()
    assert Record.load(writer.path).events[0].data == {"name": "\ud800"}


def test_a_verdict_is_printed_without_what_would_move_the_cursor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hostile_lab.py").write_text(
        "from pytest_swarmlab import Exercise, passed\n"
        'exercise = Exercise("9.9", "x", module=__name__)\n'
        'exercise.check("c", phases=["p"], title="t", expected="e", hint="h")('
        'lambda record: passed("\\x1b[2J\\u202egone " + "x" * 5000))\n',
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    writer = Recorder(tmp_path / "events.jsonl")
    writer.record("exercise.selected", id="9.9", module="hostile_lab")
    with writer.phase("9.9/p"):
        writer.record("x")
    writer.close()
    with writer.path.open("a", encoding="utf-8") as file:
        file.write('{"cut')
    out = io.StringIO()
    judge_again(tmp_path, whole(tmp_path), Catalogue(["hostile_lab"]), out)
    said = out.getvalue()
    assert said.startswith("not used: the last line, 5, is cut short\npass ")
    assert "gone x" in said
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert len(said) < 2500
