"""The shop's tasks as the managers list them, read off a record."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.readings import TasksSample
from pytest_swarmlab.evidence.record import Record

from .setting import NAME


def full_name(name: str) -> str:
    """The service's name in Swarm; `name`: its name in the stack file."""
    return f"{NAME}_{name}"


def tasks_of(record: Record, name: str) -> list[TasksSample]:
    """Every list of a service's tasks that a manager gave, in order."""
    return readings.task_lists(record, full_name(name))


def running(sample: TasksSample) -> list[str]:
    """The nodes on which tasks run, one for each task."""
    return sorted(task.node for task in sample.tasks if task.running)


def of_another_cluster(listed: Iterable[TasksSample]) -> list[str]:
    """Whether tasks run on a node that has another id in these lists than it had before."""
    known: dict[str, str] = {}
    for sample in listed:
        for task in sample.tasks:
            if task.node and task.node_id != known.setdefault(task.node, task.node_id):
                return [f"the tasks listed in second {sample.t:.1f} are of another cluster"]
    return []
