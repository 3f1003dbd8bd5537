"""How often a finding was seen becomes a row: of one engine and kernel, provoked in one way."""

from __future__ import annotations

from typing import Any

import pytest

from tests.findings.rate import HEADING, interval, rates
from tests.unit.records.editing import events


def cluster(engine: str) -> tuple[str, dict[str, Any]]:
    return "cluster.ready", {"engine_version": engine, "kernel": "7.3"}


def tried(how: str, seen: int, trials: int = 1) -> tuple[str, dict[str, Any]]:
    return "finding.tried", {"finding": "f", "how": how, "trials": trials, "seen": seen}


def test_trials_are_added_by_way_and_engine() -> None:
    run = events(
        "",
        cluster("26.1"),
        tried("parted", 1),
        tried("power-failure", 0),
        tried("parted", 0),
        cluster("27.0"),
        tried("parted", 3, 10),
        tried("power-failure", 0, 0),
    )
    assert [(r.how, r.engine, r.trials, r.seen) for r in rates(run)] == [
        ("parted", "26.1", 2, 1),
        ("power-failure", "26.1", 1, 0),
        ("parted", "27.0", 10, 3),
    ]
    row = rates(run)[2].row
    assert row == "| f | parted | 27.0 | 7.3 | 10 | 3 | 30 % (11 to 60) |"
    assert all(line.count("|") == row.count("|") for line in HEADING)


def test_where_no_cluster_is_known_nothing_is_made_up() -> None:
    assert rates(events("", tried("parted", 1)))[0].engine == "unknown"
    assert rates(events("", cluster("26.1"))) == []


@pytest.mark.parametrize(
    ("seen", "trials", "least", "most"),
    [(0, 10, 0.0, 0.278), (10, 10, 0.722, 1.0), (5, 10, 0.237, 0.763), (1, 100, 0.002, 0.054)],
)
def test_the_interval_is_wilson_s(seen: int, trials: int, least: float, most: float) -> None:
    assert interval(seen, trials) == pytest.approx((least, most), abs=0.001)
