"""Requests of clients, and how long they had no answer."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_swarmlab.evidence.events import Request, each
from pytest_swarmlab.evidence.record import Record


@dataclass(frozen=True)
class Gap:
    """No request succeeded between `began` and `ended`.

    `closed` is False when the stretch reaches the first or the last request: the true gap may
    be longer.
    """

    began: float
    ended: float
    closed: bool

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.ended - self.began


def requests(record: Record, node: str | None = None) -> list[Request]:
    """Every client request, in the order of sending; through one node if it is given."""
    found = (r for r in each(record, Request) if node in (None, r.node))
    return sorted(found, key=lambda r: r.sent)


def request_errors(record: Record) -> list[Request]:
    """Requests that failed: refused, timed out, or answered with a status of 400 or more."""
    return [r for r in requests(record) if not r.ok]


def answered(record: Record) -> list[Request]:
    """Requests that succeeded."""
    return [r for r in requests(record) if r.ok]


def answered_within_s(asked: Sequence[Request], percent: int) -> float | None:
    """Seconds within which that percentage of good answers came; None for fewer than two."""
    took = [request.seconds for request in asked if request.ok]
    if len(took) < 2:
        return None
    return round(statistics.quantiles(took, n=100, method="inclusive")[percent - 1], 3)


def longest_gap(record: Record) -> Gap | None:
    """The longest stretch between two successive good answers, through whichever nodes.

    Failures before the first or after the last success count up to the edge of the probe: a service
    that never comes back must not look well. None when nothing was asked.
    """
    return _longest_gap(requests(record))


def longest_gap_by_node(record: Record) -> dict[str, Gap]:
    """Node → the longest gap of the clients that came through it, by name."""
    asked: dict[str, list[Request]] = {}
    for request in requests(record):
        asked.setdefault(request.node, []).append(request)
    return {name: gap for name in sorted(asked) if (gap := _longest_gap(asked[name])) is not None}


def _longest_gap(asked: Sequence[Request]) -> Gap | None:
    if not asked:
        return None
    first, last = min(r.sent for r in asked), max(r.over for r in asked)
    answers = sorted(r.over for r in asked if r.ok)
    if not answers:
        return Gap(first, last, closed=False)
    gaps = [Gap(a, b, closed=True) for a, b in itertools.pairwise(answers)]
    failed_first = [r.sent for r in asked if not r.ok and r.over <= answers[0]]
    failed_last = [r.over for r in asked if not r.ok and r.over >= answers[-1]]
    if failed_first:
        gaps.append(Gap(min(failed_first), answers[0], closed=False))
    if failed_last:
        gaps.append(Gap(answers[-1], max(failed_last), closed=False))
    return max(gaps, key=lambda gap: gap.seconds, default=Gap(first, last, closed=False))
