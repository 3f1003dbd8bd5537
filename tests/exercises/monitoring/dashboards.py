"""Runs the dashboards' queries in Prometheus."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from pytest_swarmlab.errors import ProviderError
from pytest_swarmlab.evidence.events import Curve
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.lab import STACKS
from pytest_swarmlab.waiting.waiter import Waiter

from . import events
from .watcher import Watcher

PLACE = STACKS / "monitoring" / "dashboards"

LABEL = re.compile(r"\{\{\s*(\w+)\s*\}\}")
SCRAPED_TWICE = "min(sum_over_time(up[1m]) and up) > 1"
"""Of every target that there is: a rate has no value before."""
SCRAPED_S = 60
"""A target is scraped every five seconds."""
DRAWN = 160
"""Most points of a curve in the report."""


@dataclass(frozen=True)
class Query:
    """One query of a panel; `legend` is the name of its series, with labels as `{{label}}`."""

    dashboard: str
    panel: str
    expr: str
    unit: str
    legend: str


def queries() -> Iterator[Query]:
    """Every query of every dashboard."""
    for path in sorted(PLACE.glob("*.json")):
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
            unit = panel.get("fieldConfig", {}).get("defaults", {}).get("unit", "")
            for target in panel.get("targets", ()):
                legend = target.get("legendFormat", "")
                yield Query(path.stem, panel["title"], target["expr"], unit, legend)


def note_all(watcher: Watcher, names: Collection[str], *, wait: Waiter, evidence: Evidence) -> None:
    """Record how many series each query of these dashboards has, or why Prometheus refuses it."""
    wait(watcher.shows(SCRAPED_TWICE), within=SCRAPED_S)
    for query in queries():
        if query.dashboard in names:
            try:
                series, error = len(watcher.value(query.expr)), None
            except ProviderError as no:
                series, error = 0, str(no)
            panel = events.Panel(query.dashboard, query.panel, query.expr, series, error)
            evidence.write(panel)


def draw_all(watcher: Watcher, *, of_s: float, evidence: Evidence) -> None:
    """Record every panel's data of the last `of_s` seconds, for the report."""
    for query in queries():
        for labels, points in watcher.values(query.expr, of_s=of_s, points=DRAWN):
            name = named(query.legend, labels)
            seconds, values = zip(*points, strict=True)
            evidence.write(Curve(query.dashboard, query.panel, query.unit, name, seconds, values))


def named(legend: str, labels: Mapping[str, str]) -> str:
    """A series' name: the legend with its labels filled in."""
    return LABEL.sub(lambda found: labels.get(found[1], ""), legend).strip()
