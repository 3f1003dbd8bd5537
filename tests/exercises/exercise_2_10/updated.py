"""A rolling update, and a failing one, judged on the record alone."""

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
from .listed import of_another_cluster, running, tasks_of
from .setting import ORDERS, REPLICAS, ROLLED


@exercise.check(
    "every-task-replaced",
    phases=ROLLED_PHASE,
    title="The rolling update replaces every task",
    expected=", ".join(f"{name}: {REPLICAS[name]} new tasks" for name in ROLLED),
    hint="`docker service inspect`: UpdateStatus; was the update paused?",
)
def every_task_replaced(record: Record) -> Judgement:
    """By the tasks' ids, before and after."""
    struck = need(record, Struck, "no rolling update began")
    wrong, missing = [], []
    for name in ROLLED:
        listed = tasks_of(record, name)
        before, after = _ids(listed, struck.t)
        missing += of_another_cluster(listed)
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
    title="The failing update rolls back by itself, and the old version runs",
    expected=f"rollback_completed; the definition from before it; {REPLICAS[ORDERS]} tasks run",
    hint="`docker service inspect`: does the service have `failure_action: rollback`?",
)
def takes_itself_back(record: Record) -> Judgement:
    """The stack file's own policy."""
    struck = need(record, Struck, "no update began")
    seen = need(record, RolledBack, "the update's end was not recorded")
    listed = tasks_of(record, ORDERS)
    after = [s for s in listed if s.asked > struck.t]
    if not after or listed[0].t > struck.t:
        return unknown("its tasks were not listed before the update and after")
    run = len(running(after[-1]))
    told = f"{seen.state}; {run} run"
    good = seen.state == "rollback_completed" and run == REPLICAS[ORDERS]
    wrong = []
    if seen.differs or not seen.same:
        which = f" ({', '.join(seen.differs)})" if seen.differs else ""
        wrong = [f"its definition{which} differs from the one before the update"]
    missing = out_of_order(("the update", struck.t), ("the look at it", seen.t))
    missing += of_another_cluster(listed)
    return judged(told, holds=good, wrong=wrong, missing=missing)
