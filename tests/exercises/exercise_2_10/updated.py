"""Services were updated, well and badly, judged on the record alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pytest_swarmlab import unknown
from pytest_swarmlab.evidence.events import need
from pytest_swarmlab.evidence.readings import TasksSample
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import judged, out_of_order
from pytest_swarmlab.model import Judgement

from .declared import BAD_UPDATE, exercise
from .declared import ROLLED as ROLLED_PHASE
from .events import RolledBack, Struck
from .listed import running, tasks_of
from .setting import ORDERS, REPLICAS, ROLLED


@exercise.check(
    "every-task-replaced",
    phases=ROLLED_PHASE,
    title="Every task of the rolled services is another one",
    expected=", ".join(f"{name}: {REPLICAS[name]} others" for name in ROLLED),
    hint="`docker service inspect`: UpdateStatus; was the update paused?",
)
def every_task_replaced(record: Record) -> Judgement:
    """By the tasks' ids, before and after."""
    struck = need(record, Struck, "nothing was rolled")
    wrong, missing = [], []
    for name in ROLLED:
        before, after = _ids(tasks_of(record, name), struck.t)
        if before is None or after is None:
            missing.append(f"the tasks of {name} were not listed before and after")
        elif before & after or not len(before) == len(after) == REPLICAS[name]:
            wrong.append(
                f"{name}: {len(before)} before, {len(after)} after, {len(before & after)} the same"
            )
    return judged(f"{len(ROLLED)} services", wrong=wrong, missing=missing)


def _ids(listed: Sequence[TasksSample], t: float) -> tuple[set[str] | None, set[str] | None]:
    def last(samples: Iterable[TasksSample]) -> set[str] | None:
        found = list(samples)
        return {task.id for task in found[-1].tasks if task.running} if found else None

    return last(s for s in listed if s.t <= t), last(s for s in listed if s.asked > t)


@exercise.check(
    "takes-itself-back",
    phases=BAD_UPDATE,
    title="The update is rolled back by itself, and its predecessor runs",
    expected=f"rollback_completed; the definition of before; {REPLICAS[ORDERS]} tasks run",
    hint="`docker service inspect`: has the service `failure_action: rollback`?",
)
def takes_itself_back(record: Record) -> Judgement:
    """The stack file's own policy."""
    struck = need(record, Struck, "nothing was updated")
    seen = need(record, RolledBack, "nobody looked what became of the update")
    listed = [s for s in tasks_of(record, ORDERS) if s.asked > struck.t]
    if not listed:
        return unknown("its tasks were not listed after the update")
    run = len(running(listed[-1]))
    told = f"{seen.state}; {run} run"
    good = seen.state == "rollback_completed" and run == REPLICAS[ORDERS]
    wrong = [] if seen.same else ["its definition is another one"]
    moments = out_of_order(("the update", struck.t), ("the look at it", seen.t))
    return judged(told, holds=good, wrong=wrong, missing=moments)
