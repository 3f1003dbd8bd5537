"""How often a finding was seen: one row of docs/findings.md from a run's record."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pytest_swarmlab.evidence.events import ClusterReady, FindingTried, read
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.text import line

QUANTILE = 1.96
"""Of the normal distribution, for 95 % of two sides."""

HEADING = (
    "| Finding | Provoked by | Docker | Kernel | Trials | Seen | Rate (95 % interval) |",
    "|---|---|---|---|---|---|---|",
)


@dataclass(frozen=True)
class Rate:
    """So many of so many trials, on one engine and kernel, provoked in one way."""

    finding: str
    how: str
    engine: str
    kernel: str
    trials: int
    seen: int

    @property
    def row(self) -> str:
        """As a row of the table under `HEADING`."""
        least, most = interval(self.seen, self.trials)
        share = 100 * self.seen / self.trials
        return (
            f"| {self.finding} | {self.how} | {self.engine} | {self.kernel} | {self.trials}"
            f" | {self.seen} | {share:.0f} % ({100 * least:.0f} to {100 * most:.0f}) |"
        )


def rates(record: Record) -> list[Rate]:
    """All that the record has, in the order of their first trials."""
    found: dict[tuple[str, str, str, str], tuple[int, int]] = {}
    for event in record.of(FindingTried.kind):
        tried = read(FindingTried, event)
        before = (e for e in record.of(ClusterReady.kind) if e.worker == event.worker)
        ready = [read(ClusterReady, e) for e in before if e.seq < event.seq]
        key = (
            line(tried.finding),
            line(tried.how),
            line((ready[-1].engine_version if ready else "") or "unknown"),
            line((ready[-1].kernel if ready else "") or "unknown"),
        )
        trials, seen = found.get(key, (0, 0))
        found[key] = trials + tried.trials, seen + tried.seen
    return [Rate(*key, *counts) for key, counts in found.items() if counts[0]]


def interval(seen: int, trials: int) -> tuple[float, float]:
    """Between which shares the true one lies, with 95 % confidence (E. B. Wilson, 1927)."""
    share, z2 = seen / trials, QUANTILE**2
    middle = share + z2 / (2 * trials)
    width = QUANTILE * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2))
    scale = 1 + z2 / trials
    return max(0.0, (middle - width) / scale), min(1.0, (middle + width) / scale)
