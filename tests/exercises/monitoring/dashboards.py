"""The dashboards' queries, asked of the running Prometheus."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.lab import STACKS

from .watcher import Watcher

PLACE = STACKS / "monitoring" / "dashboards"


@dataclass(frozen=True)
class Query:
    """One query of a panel."""

    dashboard: str
    panel: str
    expr: str


def queries() -> Iterator[Query]:
    """Every query of every dashboard."""
    for path in sorted(PLACE.glob("*.json")):
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
            for target in panel.get("targets", ()):
                yield Query(path.stem, panel["title"], target["expr"])


def note_all(watcher: Watcher, names: Collection[str], evidence: Evidence) -> None:
    """How many series each query of these has now, or why Prometheus refuses it."""
    for query in queries():
        if query.dashboard in names:
            try:
                series, error = len(watcher.value(query.expr)), None
            except ValueError as no:
                series, error = 0, str(no)
            evidence.note(
                "panel",
                dashboard=query.dashboard,
                panel=query.panel,
                expr=query.expr,
                series=series,
                error=error,
            )
