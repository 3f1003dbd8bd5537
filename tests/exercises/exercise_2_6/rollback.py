"""A roll back to a version whose secret is gone."""

from __future__ import annotations

import re

from pytest_swarmlab import failed, passed, unknown
from pytest_swarmlab.evidence.events import Command, TasksSample, each, need
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import judged, out_of_order
from pytest_swarmlab.model import Judgement

from .declared import ROLLBACK, exercise
from .events import FailedTask, Rollback, Update
from .seen import gives_the_new_one, span
from .setting import API, NAME

GONE = (
    "starting container failed: unable to get secret from secret store: secret [a-z0-9]{25}"
    " not found"
)
PAUSED = "update paused due to failure or early termination of task [a-z0-9]{25}"


@exercise.check(
    "rollback-is-taken",
    phases=ROLLBACK,
    title="The engine accepts a rollback although its secret was removed",
    expected="`docker service rollback` ends with 0 and without a warning",
    hint="An engine that refuses the rollback is better: then change the expectation.",
)
def rollback_is_taken(record: Record) -> Judgement:
    """Only what is given with a change is looked for, not what a rollback brings back."""
    rollback = need(record, Rollback, "nobody rolled back")
    began, _ = span(record)
    if missing := out_of_order(("the beginning", began), ("the rollback", rollback.t)):
        return unknown("; ".join(missing))
    told = f"exit code {rollback.code}; {rollback.said or 'nothing was said'}"
    return passed(told) if rollback.code == 0 and not rollback.said else failed(told)


@exercise.check(
    "its-task-fails",
    phases=ROLLBACK,
    title="The older version can't start, and the rollback pauses",
    expected="starting container failed: unable to get secret from secret store: secret <id> not"
    " found; rollback_paused: update paused due to failure or early termination of task <id>",
    hint="`docker service ps --no-trunc multitier_api`; does the old secret still exist?",
)
def its_task_fails(record: Record) -> Judgement:
    """The task's error names the secret by its id: its name has gone with it."""
    task = need(record, FailedTask, "no task of the version before was seen to fail")
    update = need(record, Update, "the update's state was not read", when="rolled back")
    told = f"{task.state}: {task.error}; {update.state}: {update.said}"
    good = (
        re.fullmatch(GONE, task.error)
        and update.state == "rollback_paused"
        and re.fullmatch(PAUSED, update.said or "")
    )
    missing = out_of_order(
        ("the rollback", need(record, Rollback, "nobody rolled back").t),
        ("its task's failure", task.t),
        ("the look at the update", update.t),
    )
    return judged(told, holds=bool(good), missing=missing)


@exercise.check(
    "replicas-untouched",
    phases=ROLLBACK,
    title="The replicas keep running, and stay when the service returns to its newer version",
    expected="the same two tasks run before, when the rollback is paused, and at the end",
    hint="Use start-first; with stop-first each failed start costs a replica.",
)
def replicas_untouched(record: Record) -> Judgement:
    """None is stopped before its successor runs, and in the end none is needed."""
    samples = each(record, TasksSample, service=f"{NAME}_{API}")
    listed = [sample for sample in samples if sample.error is None]
    update = need(record, Update, "the update's state was not read", when="forward again")
    rollback = need(record, Rollback, "nobody rolled back").t
    failed_task = need(record, FailedTask, "no task of the version before was seen to fail").t
    forward = [c.t for c in each(record, Command) if gives_the_new_one(c.argv)]
    if not forward or not rollback <= failed_task <= forward[-1]:
        return unknown("there was no rollback, or no return to the newer version")
    parts = {
        "before": [e for e in listed if e.t < rollback],
        "paused": [e for e in listed if failed_task < e.t < forward[-1]],
        "after": [e for e in listed if e.t > forward[-1]],
    }
    runs = {when: [_running(sample) for sample in seen] for when, seen in parts.items()}
    told = "; ".join(f"{when} {', '.join(ids[-1]) or 'none'}" for when, ids in runs.items() if ids)
    every = {tuple(ids) for seen in runs.values() for ids in seen}
    good = len(every) == 1 and all(len(ids) == 2 for ids in every)
    missing = [f"nobody listed the tasks {when} it" for when, seen in runs.items() if not seen]
    return judged(
        f"{told}; {update.state}",
        holds=(good or not every) and update.state == "completed",
        missing=missing,
    )


def _running(sample: TasksSample) -> list[str]:
    return sorted(task.id[:12] for task in sample.tasks if task.running)
