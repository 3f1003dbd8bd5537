"""A service's tasks, as surviving managers list them."""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_swarmlab.evidence.events import NodesSample, TasksSample, each
from pytest_swarmlab.evidence.readings.broken import fault, faults, held_by
from pytest_swarmlab.evidence.readings.nodes import node_samples
from pytest_swarmlab.evidence.record import Record


@dataclass(frozen=True)
class Replicas:
    """Running tasks per node at `t`.

    `by_node`: as the managers list them. `running` leaves out nodes that a fault holds at `t`:
    managers list their tasks as running until they notice that the node is gone.
    """

    t: float
    by_node: Mapping[str, int]
    running: int


def task_samples(record: Record, service: str | None = None) -> list[TasksSample]:
    """Every sampled task list, errors included, oldest first; of one service if it is given."""
    held = faults(record)
    return [
        sample
        for sample in each(record, TasksSample)
        if service in (None, sample.service) and not held_by(sample.seen_from, sample.t, held)
    ]


def task_lists(record: Record, service: str | None = None) -> list[TasksSample]:
    """Those that a manager answered."""
    return [sample for sample in task_samples(record, service) if sample.error is None]


def replicas_over_time(record: Record, service: str | None = None) -> list[Replicas]:
    """Running tasks at each sample that was answered."""
    stopping = [f for f in faults(record) if f.stops]
    counts = []
    for sample in task_lists(record, service):
        by_node = Counter(task.node for task in sample.tasks if task.running)
        lost = sum(n for name, n in by_node.items() if held_by(name, sample.t, stopping))
        counts.append(Replicas(sample.t, dict(by_node), by_node.total() - lost))
    return counts


def first_restored(record: Record, wanted: int, service: str | None = None) -> TasksSample | None:
    """The first answer, asked for after the fault, with `wanted` tasks running elsewhere.

    A task runs elsewhere if its node was not faulted, even if that is back, and is not down for
    another reason. After a demotion every node counts.
    """
    first = fault(record)
    if first is None:
        return None
    gone = set(first.nodes) if first.stops else set()
    lists = [sample for sample in node_samples(record) if sample.nodes]
    for sample in task_lists(record, service):
        if sample.asked >= first.began:
            on = [task.node for task in sample.tasks if task.running and task.node not in gone]
            if len(on) >= wanted and len(on) - sum(map(on.count, _down(lists, sample.t))) >= wanted:
                return sample
    return None


def _down(lists: Sequence[NodesSample], t: float) -> set[str]:
    """The nodes that the last of these lists known at `t` shows as down."""
    place = bisect.bisect_right(lists, t, key=lambda sample: sample.t)
    return {n.name for n in lists[place - 1].nodes if n.state == "down"} if place else set()
