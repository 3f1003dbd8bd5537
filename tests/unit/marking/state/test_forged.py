"""A survey in which anything says anything is judged without a crash, and shown as text."""

from __future__ import annotations

import io
import random
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.marking import roles
from pytest_swarmlab.marking.state import exercise
from pytest_swarmlab.survey import events, page
from tests.unit.records.hostile import JSON, UNSEEN, few
from tests.unit.records.surveys import good, recorded

WHOLE = recorded(good())


def forged(rng: random.Random, values: list[Any], *, alike: bool) -> Record:
    """The record of a good cluster with values put where others were, of one kind if `alike`."""
    found = list(WHOLE.events)
    for value in values:
        n = rng.randrange(len(found))
        seen = _edited(found[n].data.get("seen"), value, rng, alike=alike)
        found[n] = replace(found[n], data={**found[n].data, "seen": seen})
    return Record(tuple(found))


def _edited(seen: Any, value: Any, rng: random.Random, *, alike: bool) -> Any:
    if isinstance(seen, dict) and seen:
        key = rng.choice(sorted(seen))
        return {**seen, key: _edited(seen[key], value, rng, alike=alike)}
    if isinstance(seen, list) and seen:
        place = rng.randrange(len(seen))
        return [
            _edited(e, value, rng, alike=alike) if n == place else e for n, e in enumerate(seen)
        ]
    if alike and not (isinstance(value, type(seen)) or seen is None):
        return seen
    return value


@few()
@given(st.randoms(), st.lists(JSON, min_size=1, max_size=8), st.booleans())
def test_no_judge_crashes_on_what_anybody_may_have_written(
    rng: random.Random, values: list[Any], alike: bool
) -> None:
    record = forged(rng, values, alike=alike)
    results = exercise.judge(record)
    assert [r.observed for r in results if "the judge crashed" in r.observed] == []
    out = io.StringIO()
    page.write(events.read(record), out)
    shown = out.getvalue() + "".join(roles.told(roles.cast(record)))
    shown.encode()
    assert not UNSEEN & set(shown)
