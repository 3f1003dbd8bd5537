"""Each kind of event is written by its type, read back by it, and described from it."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from docs import describe_events
from pytest_swarmlab.errors import Unseen
from pytest_swarmlab.evidence.events import KINDS, NodesSample, Seen, Write, description, read
from pytest_swarmlab.evidence.events.kind import called
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.model import Event
from tests.unit.records.breaker import REAL, real
from tests.unit.records.hostile import JSON, instances

FORMS = {kind: Draft202012Validator(form) for kind, form in description.schema()["$defs"].items()}


def event(kind: str, data: dict[str, Any]) -> Event:
    return Event(0, 5.0, "2026-05-04T10:00:00+00:00", kind, "", data)


@pytest.mark.parametrize("kind", KINDS)
@given(st.data())
@settings(max_examples=5, deadline=None)
def test_what_is_written_of_a_kind_is_read_back_and_has_its_form(kind: str, data: Any) -> None:
    seen = data.draw(instances(KINDS[kind]))
    written = json.loads(json.dumps(seen.data()))
    FORMS[kind].validate(written)
    again = read(KINDS[kind], event(kind, written))
    assert again.data() == seen.data()
    assert again.t == 5.0
    assert type(again) is KINDS[kind]


@pytest.mark.parametrize("kind", KINDS)
@given(st.data())
@settings(max_examples=5, deadline=None)
def test_any_values_are_read_as_something(kind: str, data: Any) -> None:
    names = [f.name for f in fields(KINDS[kind])]
    drawn = data.draw(st.dictionaries(st.sampled_from(names), JSON))
    if KINDS[kind].whole:
        # Every field must be there, as its type.
        with contextlib.suppress(Unseen):
            read(KINDS[kind], event(kind, drawn))
        return
    seen = read(KINDS[kind], event(kind, drawn))
    FORMS[kind].validate(json.loads(json.dumps(seen.data())))


@pytest.mark.parametrize(
    "path", sorted(REAL.glob("*.xz")), ids=lambda path: path.name.partition(".")[0]
)
def test_nothing_that_real_runs_wrote_is_lost(path: Path) -> None:
    for number, one in enumerate(real(path.name.partition(".")[0])):
        # Of a long run every tenth is enough.
        if (kind := type_of(one)) is not None and number % 10 == 0:
            assert holds(read(kind, one).data(), one.data), one


def type_of(one: Event) -> type[Seen] | None:
    """What an event is read as: the exercise's own kind, in its phases, before any run's."""
    exercise = one.phase.partition("/")[0]
    return KINDS.get(called(one.kind, exercise)) or KINDS.get(one.kind)


def holds(whole: Any, part: Any) -> bool:
    """Whether all that an older version wrote is there; what is None may be left out."""
    if isinstance(part, dict):
        return all(holds(whole.get(key), value) for key, value in part.items())
    if isinstance(part, list):
        return len(whole) == len(part) and all(map(holds, whole, part))
    return bool(whole == part)


def test_a_line_is_held_against_the_form_of_its_kind() -> None:
    form = Draft202012Validator(description.schema())
    line = {name: getattr(event("ping", {}), name) for name in description.EVENT}
    form.validate(line | {"data": {"node": "worker1", "answers": True}})
    form.validate(line | {"kind": "a-kind-of-an-exercise", "data": {"what": ["ever"]}})
    assert not form.is_valid(line | {"data": {"node": "worker1"}})
    assert not form.is_valid(line | {"data": {"node": "worker1", "answers": "yes"}})


def test_a_recorder_writes_it_under_its_name(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "events.jsonl")
    recorder.write(Write("manager2", None, 0.2))
    recorder.write(NodesSample("manager1", 0.1, error="no answer in time"))
    recorder.close()
    first, second = Record.load(recorder.path)
    assert (first.kind, first.data) == (
        "write",
        {"node": "manager2", "error": None, "seconds": 0.2},
    )
    assert second.data["error"] == "no answer in time"
    assert read(NodesSample, second).nodes == ()
    assert read(NodesSample, first).seen_from == ""


def test_a_moment_that_is_not_there_is_when_the_event_was_known() -> None:
    seen = read(KINDS["request"], event("request", {"seconds": "long"}))
    assert seen.data() | {"sent": 5.0, "seconds": 0.0} == seen.data()


def test_a_judge_is_not_told_what_an_exercise_s_own_kind_does_not_say() -> None:
    @dataclass(frozen=True)
    class Tried(Seen, kind="tried", of="9.9"):
        code: int
        said: str | None = None
        pairs: tuple[tuple[int, str], ...] = ()
        seen: NodesSample | None = None

    assert KINDS.pop("e9_9.tried") is Tried
    assert read(Tried, event("tried", {"code": 1})).code == 1
    for data in ({"said": "no"}, {"code": "1"}, {"code": True}, {"code": 1, "said": ["no"]}):
        with pytest.raises(Unseen, match=r"'tried' does not say its (code|said)"):
            read(Tried, event("tried", data))
    within: dict[str, Any]
    for within in ({"pairs": [[1, "a", "b"]]}, {"pairs": [["a", 1]]}, {"seen": {"nodes": []}}):
        with pytest.raises(Unseen, match=r"'tried' does not say its (pairs|seen)"):
            read(Tried, event("tried", {"code": 1, **within}))


def test_a_kind_of_an_exercise_has_its_form_in_its_phases_alone() -> None:
    form = Draft202012Validator(description.schema())
    line = {name: getattr(event("engine", {"version": "29"}), name) for name in description.EVENT}
    form.validate(line | {"phase": "2.7/refusals"})
    assert not form.is_valid(line | {"phase": "2.7/refusals", "data": {"node": "worker1"}})
    assert not form.is_valid(line | {"phase": "2.9/ill"})


def test_a_field_that_nobody_can_read_is_refused() -> None:
    @dataclass(frozen=True)
    class Odd(Seen):
        where: Path

    with pytest.raises(TypeError, match="no event has a field of type"):
        read(Odd, event("odd", {}))


def test_every_kind_is_described() -> None:
    assert all(is_dataclass(kind) and kind.__doc__ for kind in KINDS.values())
    page = describe_events.PAGE.read_text(encoding="utf-8")
    assert describe_events.page(page) == page, "run `make architecture`"
    said = describe_events.SCHEMA.read_text(encoding="utf-8")
    assert describe_events.schema() == said, "run `make architecture`"
