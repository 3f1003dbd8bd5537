"""A dashboard's panels, as a picture and in the report."""

from __future__ import annotations

import re
from typing import Any

from pytest_swarmlab.evidence.events import Curve
from pytest_swarmlab.reporting.html import page
from pytest_swarmlab.reporting.pictures import panels
from tests.unit.records.editing import events
from tests.unit.reporting.pages import results_of

SECONDS, VALUES = (10.0, 15.0, 20.0), (0.1, 0.5, 0.2)


def curve(panel: str = "Processors, busy", unit: str = "percentunit", name: str = "") -> Curve:
    return Curve("nodes", panel, unit, name, SECONDS, VALUES)


def texts(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_each_panel_has_its_title_its_lines_names_and_its_unit() -> None:
    said = texts(panels.svg([curve(name="worker1"), curve(name="worker2"), curve("Load", "short")]))
    assert said.count("Processors, busy") == 1
    assert {"Load", "worker1", "worker2"} <= {*said}
    assert any(word.endswith(" %") for word in said)


def test_of_many_lines_some_are_named_and_the_others_counted() -> None:
    said = texts(panels.svg([curve(name=f"worker{number}") for number in range(11)]))
    assert "worker7" in said
    assert "worker8" not in said
    assert "and 3 more" in said


def test_a_curve_without_a_point_costs_no_picture() -> None:
    empty = Curve("nodes", "Load", "short", "", (), ())
    assert "Load" in texts(panels.svg([empty]))


def test_names_from_elsewhere_are_text() -> None:
    assert "<script" not in panels.svg([curve("<script>", name="$\\alpha$ <script>")])


def test_the_report_shows_a_dashboard_below_the_checks_of_its_phase() -> None:
    drawn = {
        "dashboard": "nodes", "panel": "Load", "unit": "short", "name": "worker1",
        "seconds": [*SECONDS], "values": [*VALUES],
    }  # fmt: skip
    record = events("monitoring/kept", ("curve", drawn))
    check: dict[str, Any] = {
        "id": "monitoring.kept.told", "title": "t", "verdict": "pass", "expected": "e",
        "observed": "o", "hint": "h", "evidence": [], "finding": None,
    }  # fmt: skip
    found = {
        "id": "monitoring", "title": "Plan", "verdict": "pass", "checks": [check],
        "measurements": {}, "machine": {},
    }  # fmt: skip
    shown = page(record, results_of(found))
    assert "<b>nodes</b>" in shown
    assert {"Load", "worker1"} <= {*texts(shown)}
