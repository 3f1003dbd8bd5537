"""Servers that take long to start, with a start period and without one."""

from __future__ import annotations

from pytest_swarmlab import failed, passed
from pytest_swarmlab.evidence.events import need
from pytest_swarmlab.evidence.readings import TasksSample
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import judged
from pytest_swarmlab.model import Judgement

from .declared import ENDED, ILL, SLOW, exercise
from .events import StartPeriod


@exercise.check(
    "false-positives",
    phases=SLOW,
    title="Without a start period, or with a short one, a slow server never starts",
    expected="each is killed at least twice before it is ready, and none runs",
    hint="interval × retries, or the start period, must be longer than the start.",
)
def false_positives(record: Record) -> Judgement:
    """The server itself has no fault."""
    found = {name: _slow(record, name) for name in ("none", "short")}
    told = "; ".join(
        f"{name}: {_count(ended, 'ended')}, {_count(up, 'up')}"
        for name, (ended, up, _) in found.items()
    )
    good = all(ended >= 2 and not up for ended, up, _ in found.values())
    missing = [
        f"{name}: only {ill} of its tasks were ended for being unhealthy"
        for name, (_, _, ill) in found.items()
        if ill < 2
    ]
    return judged(told, holds=good, missing=missing)


@exercise.check(
    "start-period",
    phases=SLOW,
    title="With a long start period the same server starts",
    expected="its first task runs",
    hint="In the start period a failed check does not count; a successful one ends the period.",
)
def start_period(record: Record) -> Judgement:
    """The only difference is the start period."""
    ended, up, _ = _slow(record, "long")
    told = f"{_count(ended, 'ended')}, {_count(up, 'up')}"
    return passed(told) if (ended, up) == (0, 1) else failed(told)


def _slow(record: Record, name: str) -> tuple[int, int, int]:
    """Of the service with that start period, how many have ended, run, ended as unhealthy."""
    service = need(record, StartPeriod, f"no such server was seen: {name}", name=name)
    listed = need(record, TasksSample, "its tasks were not listed", service=service.service)
    tasks = listed.tasks
    states = [task.state for task in tasks]
    ill = sum(ILL in task.error for task in tasks)
    return sum(s in ENDED for s in states), states.count("running"), ill


def _count(number: int, what: str) -> str:
    return f"{number} {what}"
