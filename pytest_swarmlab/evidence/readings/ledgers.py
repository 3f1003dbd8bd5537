"""Entries that were written, acknowledged, and found at the end."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

from pytest_swarmlab.evidence.events import Entries, Entry, each, read
from pytest_swarmlab.evidence.readings.broken import fault_at
from pytest_swarmlab.evidence.readings.clients import Gap
from pytest_swarmlab.evidence.record import Record


@dataclass(frozen=True)
class Ledger:
    """A ledger's entries and their fate."""

    name: str
    entries: tuple[Entry, ...]
    record: Record = field(repr=False)

    @cached_property
    def found(self) -> tuple[tuple[str, int], ...] | None:
        """Id and number of each entry that was there at the end; None if nobody looked.

        Read when it is asked for: a claim about writes alone has not looked at it.
        """
        last = self.record.last(Entries.kind, ledger=self.name)
        return None if last is None else read(Entries, last).found

    @property
    def acknowledged(self) -> list[Entry]:
        """Entries whose write was acknowledged."""
        return [entry for entry in self.entries if entry.id is not None]

    @property
    def lost(self) -> list[int]:
        """Numbers of acknowledged entries that are not there under the id that was returned."""
        there = set(self.found or ())
        return [e.number for e in self.acknowledged if (str(e.id), e.number) not in there]

    @property
    def duplicated(self) -> list[int]:
        """Numbers that are there more than once."""
        counts = Counter(number for _, number in self.found or ())
        return sorted(number for number, count in counts.items() if count > 1)

    @property
    def longest_gap(self) -> Gap | None:
        """The longest stretch between two acknowledgements; to the last write if none followed."""
        ends = sorted(entry.over for entry in self.acknowledged)
        if not ends:
            return None
        gaps = [Gap(a, b, closed=True) for a, b in itertools.pairwise(ends)]
        over = max(entry.over for entry in self.entries)
        if over > ends[-1]:
            gaps.append(Gap(ends[-1], over, closed=False))
        return max(gaps, key=lambda gap: gap.seconds, default=None)

    def stalled_s(self, record: Record) -> float | None:
        """The longest wait for an acknowledgement since the first fault began, seconds.

        None when nothing was acknowledged any more, or nothing was broken.
        """
        began = fault_at(record)
        if began is None:
            return None
        after = sorted(entry.over for entry in self.acknowledged if entry.over > began)
        gaps = [Gap(a, b, closed=True) for a, b in itertools.pairwise([began, *after])]
        return round(max(gap.seconds for gap in gaps), 3) if gaps else None


def ledger(record: Record, name: str) -> Ledger | None:
    """A ledger's entries and what was found of them at the end; None if it was never written."""
    entries = tuple(each(record, Entry, ledger=name))
    if not entries:
        return None
    return Ledger(name, entries, record)
