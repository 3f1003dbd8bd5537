"""Repeated measurements over what was predicted, as a picture."""

from __future__ import annotations

import re

import pytest

from pytest_swarmlab.judging.exercise import Exercise
from pytest_swarmlab.reporting.html import page
from pytest_swarmlab.reporting.pictures import distribution
from pytest_swarmlab.reporting.pictures.canvas import VERMILLION
from tests.unit.records.editing import events
from tests.unit.reporting.pages import results_of

MEASURES = {"found_s": ("From the fault to unhealthy, s", "predicted_s")}
MEASURED = {"found_s": {"1": 2.5, "2": 3.25, "3": 9.0}, "predicted_s": {"from": 2.0, "to": 5.0}}


def texts(svg: str) -> str:
    return " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg))


def test_a_strip_tells_the_range_the_median_and_what_was_predicted() -> None:
    said = texts(distribution.svg(MEASURES, MEASURED))
    assert "From the fault to unhealthy, s; predicted 2.0 to 5.0" in said
    assert "measured 2.50 to 9.00, median 3.25 (3 times)" in said


def test_a_repetition_outside_the_prediction_has_another_colour() -> None:
    inside = {**MEASURED, "found_s": {"1": 2.5}}
    assert VERMILLION.lower() in distribution.svg(MEASURES, MEASURED).lower()
    assert VERMILLION.lower() not in distribution.svg(MEASURES, inside).lower()


@pytest.mark.parametrize("value", [None, {}, {"1": None}, {"1": "fast"}, {"1": True}, 3.0])
def test_what_was_not_measured_is_said(value: object) -> None:
    assert distribution.UNSEEN in texts(distribution.svg(MEASURES, {"found_s": value}))


def test_names_from_elsewhere_are_text() -> None:
    svg = distribution.svg({"x": ("<script> $\\alpha$", "y")}, {"x": {"1": 1.0}})
    assert "<script" not in svg


def test_the_report_shows_it_above_the_phases() -> None:
    exercise = Exercise("2.9", "Healing", module=__name__)
    exercise.distribute(phase="heal", measures=MEASURES)
    selected = {"id": "2.9", "distribution": exercise.distribution}
    record = events("", ("exercise.selected", selected))
    found = {
        "id": "2.9", "title": "Healing", "verdict": "pass", "checks": [],
        "measurements": {"heal": MEASURED},
        "machine": {"heal": {"idle": 0.31, "beside": 1}},
    }  # fmt: skip
    shown = page(record, results_of(found))
    assert "median 3.25" in shown
    assert 'processors idle</td><td class="number">31%' in shown
    assert 'other clusters beside</td><td class="number">1' in shown
    assert "median" not in page(record, results_of({**found, "measurements": {}}))


def test_a_phase_without_figures_says_that_the_machine_was_busy() -> None:
    found = {
        "id": "2.9", "title": "Healing", "verdict": "pass", "checks": [],
        "measurements": {"heal": {"found_s": 1.0}},
        "machine": {"heal": {"idle": 0.31, "beside": 0}, "steep": {"idle": 0.004, "beside": 1}},
    }  # fmt: skip
    shown = page(events(""), results_of(found))
    assert "too busy to measure; its processors were idle during steep (0.4%)." in shown
    found["machine"] = {"heal": {"idle": 0.31, "beside": 0}}
    assert "too busy to measure" not in page(events(""), results_of(found))
