"""A run's waits, summed over its workers."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from pytest_swarmlab.evidence.time_spent import Awaited, Wait, WorkerTime

_CONTAINER = re.compile(r"\b[0-9a-f]{12,64}\b")

_COUNT = re.compile(r"(?<![\w.-])\d+(?:\.\d+)?(?![\w.-])")


@dataclass(frozen=True)
class WaitedFor:
    """All waits for one thing in one exercise; counts and container ids in it may differ.

    `unmet`: how many of them did not end with the condition met.
    """

    kind: Awaited
    condition: str
    exercise: str
    nodes: tuple[str, ...]
    times: int
    seconds: float
    longest: float
    unmet: int


def waited_for(workers: Iterable[WorkerTime]) -> list[WaitedFor]:
    """Waits, summed over workers, the longest sum first."""
    groups: dict[tuple[Awaited, str, str], list[Wait]] = defaultdict(list)
    for wait in (wait for worker in workers for wait in worker.waits):
        groups[wait.kind, wait.exercise, _general(wait.condition)].append(wait)
    found = []
    for (kind, exercise, general), waits in groups.items():
        names = {wait.condition for wait in waits}
        found.append(
            WaitedFor(
                kind=kind,
                condition=names.pop() if len(names) == 1 else general,
                exercise=exercise,
                nodes=tuple(sorted({node for wait in waits for node in wait.nodes})),
                times=len(waits),
                seconds=sum(wait.seconds for wait in waits),
                longest=max(wait.seconds for wait in waits),
                unmet=sum(wait.outcome != "done" for wait in waits),
            )
        )
    return sorted(found, key=lambda each: -each.seconds)


def _general(condition: str) -> str:
    """A condition without what differs from one wait to the next: container ids and counts."""
    return _COUNT.sub("n", _CONTAINER.sub("…", condition))
