"""The shop's tasks, as the managers list them: read off a record."""

from __future__ import annotations

from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.readings import TasksSample
from pytest_swarmlab.evidence.record import Record

from .setting import NAME


def full_name(name: str) -> str:
    """What Swarm calls the service of that name in the stack file."""
    return f"{NAME}_{name}"


def tasks_of(record: Record, name: str) -> list[TasksSample]:
    """Every list of a service's tasks that a manager gave, in order."""
    return [s for s in readings.task_samples(record, full_name(name)) if s.error is None]


def running(sample: TasksSample) -> list[str]:
    """The nodes on which tasks run, one for each task."""
    return sorted(task.node for task in sample.tasks if task.running)
