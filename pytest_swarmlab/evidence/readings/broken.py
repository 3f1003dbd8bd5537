"""The faults of a record: what was broken on purpose, from when to when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from pytest_swarmlab.evidence.events import (
    FaultHealed,
    FaultInjected,
    first,
    kind_of_fault,
    read,
)
from pytest_swarmlab.evidence.record import Record


@dataclass(frozen=True)
class Fault:
    """A fault.

    `began` … `injected`: how long injecting took. `heal_began` … `healed`: how long healing took;
    both None while it is on, or when the run ended before.
    """

    kind: str
    nodes: tuple[str, ...]
    began: float
    injected: float
    heal_began: float | None = None
    healed: float | None = None

    @property
    def stops(self) -> bool:
        """Whether its nodes' containers stop, or nobody reaches them: unless it is known not to."""
        return kind_of_fault(self.kind).stops

    def on(self, t: float) -> bool:
        """Whether it was on, or being injected or healed, at that moment."""
        return self.began <= t and (self.healed is None or t <= self.healed)


def faults(record: Record) -> list[Fault]:
    """Every fault, in the order of injection, each with the healing that belongs to it."""
    found: list[Fault] = []
    for event in record.of(FaultInjected.kind, FaultHealed.kind):
        if event.kind == FaultInjected.kind:
            made = read(FaultInjected, event)
            found.append(Fault(made.fault, made.nodes, made.t - made.seconds, made.t))
            continue
        mended = read(FaultHealed, event)
        for index, known in enumerate(found):
            here = not mended.nodes or set(mended.nodes) & set(known.nodes)
            if known.kind == mended.fault and here and known.healed is None:
                began = mended.t - mended.seconds
                found[index] = replace(known, heal_began=began, healed=mended.t)
                break
    return found


def fault(record: Record) -> Fault | None:
    """The first fault: the one that measurements count from."""
    return next(iter(faults(record)), None)


def fault_at(record: Record) -> float | None:
    """When the first fault began."""
    made = first(record, FaultInjected)
    return None if made is None else made.t - made.seconds


def held_by(name: str, t: float, by: Iterable[Fault]) -> bool:
    """Whether one of these faults had that node at that moment."""
    return any(name in f.nodes and f.on(t) for f in by)
