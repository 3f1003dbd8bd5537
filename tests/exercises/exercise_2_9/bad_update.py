"""An update that is no good takes itself back."""

from __future__ import annotations

from pytest_swarmlab import unknown
from pytest_swarmlab.errors import Unseen
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import Command, each, need
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import Window, judged, out_of_order
from pytest_swarmlab.model import Judgement

from ..whose import replicas
from .declared import BAD_UPDATE, MESH, exercise
from .events import Definition, RolledBack, Updated
from .seen import all_answered, at_work
from .setting import REPLICAS

TAKEN_BACK = "update rolled back due to failure or early termination of task"


@exercise.check(
    "takes-itself-back",
    phases=BAD_UPDATE,
    title="An update whose tasks never become healthy rolls back by itself",
    expected=f"rollback_completed; the client says {TAKEN_BACK!r}",
    hint="`docker service inspect` shows UpdateStatus; by default a failed update pauses.",
)
def takes_itself_back(record: Record) -> Judgement:
    """`failure_action: rollback`."""
    end = need(record, RolledBack, "the update's end was not seen")
    update = need(record, Updated, "the client's output was not recorded")
    line = next((line for line in update.said.splitlines() if TAKEN_BACK in line), None)
    told = f"{end.state}; {(line or 'the client does not say why').strip()}"
    good = end.state == "rollback_completed" and line is not None
    order = out_of_order(("the update", update.t), ("the look at its end", end.t))
    return judged(told, holds=good, missing=order)


@exercise.check(
    "old-definition",
    phases=BAD_UPDATE,
    title="The rollback restores the old definition, and no replica was replaced",
    expected="health check and image as before the update; all the same tasks run",
    hint="`docker service inspect test-health`: Spec and PreviousSpec.",
)
def old_definition(record: Record) -> Judgement:
    """Start-first: what served goes only when its successor is healthy, and none was."""
    read = [
        need(record, Definition, f"nobody read the definition {when} the update", when=when)
        for when in ("before", "after")
    ]
    before, after = (definition.data() for definition in read)
    began, end = _update(record)
    samples = readings.task_lists(record)
    parts = [s for s in samples if s.t <= began], [s for s in samples if s.asked >= end]
    if not all(parts):
        return unknown("the tasks were not listed before the update and after it")
    ids = [sorted(t.id for t in at_work(part[-1].tasks)) for part in parts]
    changed = sorted(k for k in before if k != "when" and before[k] != after.get(k))
    told = f"changed: {', '.join(changed) or 'nothing'}; {len(set(ids[0]) & set(ids[1]))}"
    told += f" of {len(ids[0])} tasks are the same"
    good = not changed and ids[0] == ids[1] and len(ids[0]) == replicas(record, "web", REPLICAS)
    order = out_of_order(
        ("the definition before", read[0].t),
        ("the update", began),
        ("its end", end),
        ("the definition after", read[1].t),
    )
    return judged(told, holds=good, missing=order)


def _update(record: Record) -> tuple[float, float]:
    """When the command began that updates the service, and when its client had seen the end."""
    update = need(record, Updated, "the client's output was not recorded")
    mine = [c for c in each(record, Command) if {*c.argv} >= UPDATE and c.t <= update.t]
    if not mine:
        raise Unseen("the update's beginning was not recorded")
    return mine[-1].t - mine[-1].seconds, update.t


UPDATE = {"service", "update"}


@exercise.check(
    "no-request-failed",
    phases=BAD_UPDATE,
    title="The failed update interrupts no request",
    expected="every request is answered",
    hint="Is the order start-first, and parallelism below the number of replicas?",
    needs=MESH,
    # A request has so many seconds, and a machine without idle time takes them.
    timed=True,
)
def no_request_failed(record: Record) -> Judgement:
    """Through every node."""
    return all_answered(record, readings.requests(record), Window(*_update(record)))
