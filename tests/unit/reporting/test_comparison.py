"""The same figures of several phases, drawn side by side."""

from __future__ import annotations

import re

import pytest

from pytest_swarmlab.reporting.html import page
from pytest_swarmlab.reporting.pictures import comparison
from tests.unit.records.editing import events
from tests.unit.reporting.pages import results_of

PHASES = ["local", "nfs-bind"]
MEASURES = {"fsync_ms": "small write: ms", "move_s": "move: s"}


def texts(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_every_phase_has_a_bar_with_its_number_in_every_panel() -> None:
    svg = comparison.svg(
        PHASES, MEASURES, {p: {"fsync_ms": 0.25 + n, "move_s": 4} for n, p in enumerate(PHASES)}
    )
    said = [text.strip() for text in texts(svg)]
    assert {*PHASES, *MEASURES.values(), "0.25", "1.25"} <= set(said)
    assert said.count("4") == 2


@pytest.mark.parametrize("value", [None, "fast", True])
def test_what_was_not_measured_is_a_dash(value: object) -> None:
    svg = comparison.svg(PHASES, {"move_s": "move: s"}, {"local": {"move_s": value}})
    assert [text.strip() for text in texts(svg)].count(comparison.UNSEEN) == 2


def test_names_from_elsewhere_are_text() -> None:
    svg = comparison.svg(["<script>"], {"x": "$\\alpha$ <b>"}, {"<script>": {"x": 1}})
    assert "<script" not in svg
    assert "<b>" not in svg


def results(measurements: dict[str, object]) -> dict[str, object]:
    exercise = {
        "id": "2.4", "title": "Storage", "verdict": "pass", "checks": [],
        "measurements": measurements,
        "machine": {},
    }  # fmt: skip
    return results_of(exercise)


def test_the_report_shows_it_above_the_phases() -> None:
    declared = {"phases": PHASES, "measures": MEASURES}
    record = events("", ("exercise.selected", {"id": "2.4", "comparison": declared}))
    assert "small write: ms" in page(record, results({"local": {"fsync_ms": 1.0}}))


def test_without_measurements_or_a_declaration_there_is_none() -> None:
    declared = {"phases": PHASES, "measures": MEASURES}
    record = events("", ("exercise.selected", {"id": "2.4", "comparison": declared}))
    assert "<svg" not in page(record, results({}))
    assert "<svg" not in page(events(""), results({"local": {"fsync_ms": 1.0}}))
