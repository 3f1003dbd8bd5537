"""A record is read as a survey, or what of it can't be read is said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.model import Event
from pytest_swarmlab.survey import events
from pytest_swarmlab.survey.odd import oddities
from pytest_swarmlab.survey.seen import Survey
from tests.unit.records.editing import edited
from tests.unit.records.hostile import JSON
from tests.unit.records.surveys import good, recorded, seen


def test_a_real_survey_is_read_whole() -> None:
    assert seen().errors == {}
    assert len(seen().machines) == 5
    assert all(machine.errors == {} for machine in seen().machines)


def test_what_is_recorded_is_what_is_read() -> None:
    survey = replace(good(), at="", seconds=1.0)
    assert events.read(recorded(survey)) == survey


def test_without_a_survey_there_is_an_empty_one() -> None:
    assert events.read(Record(())) == Survey()
    assert not events.there(Record(()))


def test_the_latest_of_two_counts() -> None:
    first, second = recorded(good()), recorded(replace(good(), cluster="second", services=()))
    later = (replace(e, seq=e.seq + 1000) for e in second)
    found = events.read(Record((*first.events, *later)))
    assert (found.cluster, found.services) == ("second", ())


def test_what_was_never_looked_at_is_not_empty() -> None:
    only = Record(
        tuple(e for e in recorded(good()) if e.kind in {events.Began.kind, events.Ended.kind})
    )
    found = events.read(only)
    assert (found.services, found.errors["services"]) == (None, "nobody looked")
    assert found.machines[0].errors["engine"] == "nobody looked"


@pytest.mark.parametrize("value", [None, 7, "x", [], {}, [1], [{"id": 1}], {"version": 3}])
def test_values_of_another_kind_are_not_taken_on_trust(value: Any) -> None:
    forged = Record(
        tuple(
            replace(e, data={**e.data, "seen": value}) if e.kind == "survey.tasks" else e
            for e in recorded(good())
        )
    )
    found = events.read(forged)
    if value == []:
        assert found.tasks == ()
    else:
        assert found.tasks is None
        assert "can't be read" in found.errors["tasks"]


def test_a_number_beyond_every_float_is_not_taken_on_trust() -> None:
    (row, *rest) = recorded(good()).need("survey.tasks", "").data["seen"]
    huge = [{**row, "age_s": 10**400}, *rest]
    found = events.read(edited("survey.tasks", seen=huge)(recorded(good())))
    assert found.errors["tasks"].startswith(
        "what is recorded of it can't be read: no float but 1000"
    )


KINDS = (events.Began.kind, events.Ended.kind, *(f"survey.{part}" for part in events.PARTS))
WORDS = ("seen", "error", "node", "seen_from", "machines", "seconds", "more", "cluster")
SAID = st.tuples(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(WORDS), JSON))


@given(st.lists(SAID, max_size=6))
def test_any_values_are_read_or_said_to_be_unreadable(
    said: list[tuple[str, dict[str, Any]]],
) -> None:
    record = Record(tuple(Event(n, float(n), "", kind, "", d) for n, (kind, d) in enumerate(said)))
    for each in oddities(events.read(record)):
        assert each.what
