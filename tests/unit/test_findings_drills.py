"""What the drills of findings count is read from the record, by id."""

from __future__ import annotations

from typing import Any

from tests.findings.two_identities import under_another_s_name
from tests.unit.records.editing import events


def listed(**names: str) -> tuple[str, dict[str, Any]]:
    """Node's id → the host name under which it is listed."""
    rows = [{"id": id_, "name": id_, "host_name": name} for id_, name in names.items()]
    return "nodes", {"seen_from": "m1", "seconds": 0.0, "nodes": rows}


WELL = listed(m3="manager3", w2="worker2")


def test_a_row_that_takes_another_one_s_name_is_seen() -> None:
    assert under_another_s_name(events("p", WELL, listed(m3="worker2", w2="worker2"), WELL))


def test_a_new_name_or_a_row_less_is_nothing() -> None:
    assert not under_another_s_name(events("p", WELL, listed(m3="manager3"), WELL))
    assert not under_another_s_name(events("p", WELL, listed(m3="renamed", w2="worker2")))
    assert not under_another_s_name(events("p", ("nodes", {"seen_from": "m1", "error": "no"})))
