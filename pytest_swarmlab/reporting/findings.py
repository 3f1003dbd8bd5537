"""Findings about Swarm that a run met, and the outcome of the repeated tests."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_swarmlab.evidence.events import EndOfTest, FindingMet, read
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.model import FINDINGS
from pytest_swarmlab.text import clean, line


@dataclass(frozen=True)
class Finding:
    """One sight of a finding.

    `alone`: nothing else failed. `repeated`: how the test's next run ended, or None without one.
    """

    name: str
    phase: str
    observed: str
    alone: bool
    test: str
    repeated: str | None

    def __str__(self) -> str:
        """Both runs in a sentence."""
        told = f"finding {self.name} ({FINDINGS}) was seen in {self.phase}"
        if not self.alone:
            return f"{told}, and other checks failed"
        if self.repeated is None:
            return f"{told}; {self.test} was not repeated"
        return f"{told}; {self.test} was repeated on a new cluster: {self.repeated}"


def findings(record: Record) -> list[Finding]:
    """All findings, in the order in which they were seen."""
    found = []
    for event in record.of(FindingMet.kind):
        met = read(FindingMet, event)
        later = [e for e in record.of(EndOfTest.kind) if e.seq > event.seq]
        mine = next((e for e in later if e.worker == event.worker), None)
        test = read(EndOfTest, mine).nodeid if mine else ""
        ends = [read(EndOfTest, e) for e in later if mine and e.seq > mine.seq]
        again = next((end for end in ends if end.nodeid == test), None)
        found.append(
            Finding(
                line(met.name),
                line(met.phase),
                clean(met.observed, 2000),
                met.alone,
                line(test),
                line(again.outcome) if again else None,
            )
        )
    return found
