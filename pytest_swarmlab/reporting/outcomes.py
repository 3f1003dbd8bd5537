"""The page's first table: what was broken in each drill, who led then, which requests failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import Entry, Request, each
from pytest_swarmlab.evidence.readings import Fault
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.reporting.timeline import (
    Timeline,
    fault_label,
    is_leaderless,
    led_before,
    new_leader,
)
from pytest_swarmlab.text import clock, duration

WORDS = {
    "elected": "{before} \N{RIGHTWARDS ARROW} {name} after {s}",
    "none": "{before} \N{RIGHTWARDS ARROW} none seen",
    "same": "{before} throughout",
    "unseen": "not seen",
    "more": "{first}, and {count} more",
}
PAUSE = 1.0
"""Seconds without a request after which a gap between answers is nobody's: no client asked."""


@dataclass(frozen=True)
class Outcome:
    """A drill in one row, in words.

    `at`: the fault's moment on the run's clock. `fault`, `leader` and `gap` are "" if nothing was
    broken, nobody was asked who leads, or no client asked. `lost`, `acknowledged`: writes of the
    ledgers whose entries were looked for at the end.
    """

    at: str
    fault: str
    leader: str
    failed: int
    asked: int
    gap: str
    lost: int
    acknowledged: int


def outcome(part: Record, timeline: Timeline | None) -> Outcome | None:
    """What came of one phase; None if nothing was broken, no client asked and nobody wrote.

    `timeline`: the phase's, if the managers were sampled.
    """
    requests, faults = readings.requests(part), readings.faults(part)
    names = dict.fromkeys(entry.ledger for entry in each(part, Entry))
    ledgers = [found for name in names if (found := readings.ledger(part, name))]
    if not faults and not requests and not ledgers:
        return None
    read = [ledger for ledger in ledgers if ledger.found is not None]
    return Outcome(
        at=clock(faults[0].began) if faults else "",
        fault=_told(faults),
        leader=_leader(timeline) if timeline else "",
        failed=sum(not request.ok for request in requests),
        asked=len(requests),
        gap=_gap(part, requests),
        lost=sum(len(ledger.lost) for ledger in read),
        acknowledged=sum(len(ledger.acknowledged) for ledger in read),
    )


def _told(faults: Sequence[Fault]) -> str:
    labels = list(dict.fromkeys(fault_label(fault) for fault in faults))
    if len(labels) > 1:
        return WORDS["more"].format(first=labels[0], count=len(labels) - 1)
    return "".join(labels)


def _leader(timeline: Timeline) -> str:
    if not timeline.leaders:
        return ""
    before = led_before(timeline) or WORDS["unseen"]
    if elected := new_leader(timeline):
        name, after_s = elected
        seconds = duration(after_s).replace(" ", "\N{NO-BREAK SPACE}")
        return WORDS["elected"].format(before=before, name=name, s=seconds)
    return WORDS["none" if is_leaderless(timeline) else "same"].format(before=before)


def _gap(part: Record, requests: Sequence[Request]) -> str:
    found = readings.longest_gap(part)
    if found is None:
        return ""
    sent = [request.sent for request in requests if request.sent >= found.began]
    return "" if sent and sent[0] - found.began > PAUSE else duration(found.seconds)
