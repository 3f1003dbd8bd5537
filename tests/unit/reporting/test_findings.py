"""A finding about Swarm is told with both runs of the test that met it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.reporting.findings import findings
from pytest_swarmlab.reporting.html import page
from pytest_swarmlab.reporting.results import build_results
from tests.unit.records.editing import events

SEEN: tuple[str, dict[str, Any]] = (
    "finding",
    {
        "name": "two-identities",
        "phase": "2.2/demotion",
        "check": "2.2.demotion.identities-kept",
        "observed": "<b>worker2</b> has manager3's certificate",
        "alone": True,
    },
)


def ended(test: str, outcome: str) -> tuple[str, dict[str, Any]]:
    return "test.finished", {"nodeid": test, "outcome": outcome, "seconds": 1.0, "message": ""}


def told(run: Record) -> list[str]:
    return [str(finding) for finding in findings(run)]


def test_both_runs_are_told() -> None:
    run = events("", SEEN, ended("a::test", "failed"), ended("a::test", "passed"))
    assert told(run) == [
        "finding two-identities (docs/findings.md) was seen in 2.2/demotion; a::test was repeated"
        " on a new cluster: passed"
    ]


def test_a_test_that_was_not_repeated_is_told_as_that() -> None:
    run = events("", SEEN, ended("a::test", "failed"), ended("b::test", "passed"))
    assert told(run)[0].endswith("a::test was not repeated")
    assert told(events("", SEEN))[0].endswith("was not repeated")


def test_another_worker_s_test_is_not_taken_for_it() -> None:
    run = events("", SEEN, ended("b::test", "passed"), ended("a::test", "failed"))
    seen, other, mine = run.events[1:]
    workers = Record(
        (replace(seen, worker="gw0"), replace(other, worker="gw1"), replace(mine, worker="gw0"))
    )
    assert told(workers)[0].endswith("a::test was not repeated")


def test_a_finding_beside_other_failures_is_no_reason_to_repeat() -> None:
    also = (SEEN[0], {**SEEN[1], "alone": False})
    assert told(events("", also))[0].endswith("and other checks failed")


def test_the_page_shows_it_and_nothing_hostile() -> None:
    told = events("", SEEN, ended("a::test", "failed"), ended("a::test", "passed"))
    run = Record(told.events[1:])
    text = page(run, build_results(run, []))
    assert "was repeated on a new cluster: passed" in text
    assert "&lt;b&gt;worker2" in text
