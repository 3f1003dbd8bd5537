"""What a judge has looked at, in words."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_swarmlab.errors import Unseen
from pytest_swarmlab.evidence.looking import Looked
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.exercise import Exercise, failed, passed
from pytest_swarmlab.model import Judgement
from tests.unit.records.editing import events
from tests.unit.records.synthetic import THREE_DRILLS, record

COMMAND = {"node": "manager1", "argv": ["docker", "node", "ls"], "code": 0}


def looked(*rows: tuple[str, dict[str, Any]], start: float = 60.0) -> Looked:
    return Looked(events("9.9/x", *rows, start=start).phase("9.9/x").events)


def test_a_command_is_told_with_its_node_and_moment() -> None:
    found = looked(("command", COMMAND), ("tasks", {"seen_from": "manager2"}))
    found.last("command")
    assert found.in_words() == "`docker node ls` on manager1, at 01:00"


def test_many_of_a_kind_are_counted_with_who_gave_them_and_from_when_to_when() -> None:
    found = looked(*(("nodes", {"seen_from": f"manager{n % 2 + 1}"}) for n in range(90)))
    found.of("nodes")
    assert found.in_words() == "90 node lists of manager1, manager2, 01:00 to 02:29"


def test_only_the_one_that_was_asked_for_is_told() -> None:
    found = looked(*(("nodes", {"seen_from": f"manager{n}"}) for n in range(3)))
    found.first("nodes")
    assert found.in_words() == "node lists of manager0, at 01:00"
    found.last("nodes")
    assert found.in_words() == "2 node lists of manager0, manager2, 01:00 to 01:02"


def test_a_kind_without_a_word_of_its_own_is_named() -> None:
    found = looked(("digests", {}))
    found.need("digests", "nobody looked")
    assert found.in_words() == "`digests`, at 01:00"


def test_what_was_not_there_was_not_looked_at() -> None:
    found = looked(("digests", {}))
    with pytest.raises(Unseen):
        found.need("nodes", "nobody looked")
    assert found.in_words() == "all that was recorded, at 01:00"


def test_who_goes_through_all_has_looked_at_all() -> None:
    found = looked(("a", {}), ("b", {}), ("c", {}))
    assert [event.kind for event in found] == ["a", "b", "c"]
    assert found.in_words() == "all that was recorded, 01:00 to 01:02"


def test_nothing_is_nothing() -> None:
    assert Looked(()).in_words() == ""
    assert looked(("cluster.ready", {})).in_words() == ""


def test_which_cluster_it_was_is_no_evidence() -> None:
    found = looked(("cluster.ready", {}), ("digests", {}))
    found.of("cluster.ready", "digests")
    assert found.in_words() == "`digests`, at 01:01"


def test_more_kinds_than_anybody_reads_are_counted() -> None:
    found = looked(*((f"k{n}", {}) for n in range(7)))
    for n in range(7):
        found.of(f"k{n}")
    assert found.in_words().endswith("`k3`, at 01:03; 3 more")


def test_hostile_words_are_made_safe() -> None:
    found = looked(
        ("command", {"node": "\x1b[2Jm", "argv": ["a\x00", "b" * 500]}),
        ("x\ny", {"node": "n\x1b]0;t\x07"}),
    )
    found.of("command")
    found.of("x\ny")
    text = found.in_words()
    assert "\x1b" not in text
    assert "\n" not in text
    assert len(text) < 500


def test_it_is_a_record_as_any_other() -> None:
    run = record(THREE_DRILLS[0])
    seen = Looked(run.events)
    assert seen.of("nodes") == run.of("nodes")
    assert seen.first("request") == run.first("request")
    assert seen.last("tasks", seen_from="manager2") == run.last("tasks", seen_from="manager2")
    assert seen.last("nothing") is None
    assert seen.phase("2.2/graceful-stop") == run.phase("2.2/graceful-stop")


def test_a_verdict_says_what_its_judge_has_looked_at() -> None:
    exercise = Exercise("9.9", "t", module=__name__)

    @exercise.check("claim", phases=["x"], title="t", expected="e", hint="h")
    def claim(part: Record) -> Judgement:
        code = part.need("command", "nobody looked").data["code"]
        return passed("0") if code == 0 else failed(str(code))

    run = events("9.9/x", ("nodes", {}), ("command", COMMAND))
    (result,) = exercise.judge(run)
    assert result.looked_at == "`docker node ls` on manager1, at 00:01"
