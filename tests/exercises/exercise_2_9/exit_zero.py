"""The lab's `on-failure`, and a server that ends with exit code 0."""

from __future__ import annotations

from pytest_swarmlab import unknown
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import Command, each, last, need
from pytest_swarmlab.evidence.readings import TasksSample
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import judged, out_of_order
from pytest_swarmlab.model import Judgement

from .declared import LEAST_WATCHED_S, TRAP, exercise
from .events import Broken, Checks, Definition, Watched
from .seen import at_work, last_list
from .setting import REPLICAS


@exercise.check(
    "complete-not-failed",
    phases=TRAP,
    title="The unhealthy nginx has exited with 0: its task is complete, without an error",
    expected="state complete, no error",
    hint="`docker service ps trap`: nginx exits with 0 on its stop signal (SIGQUIT).",
)
def complete_not_failed(record: Record) -> Judgement:
    """The erratum's cause."""
    broken = need(record, Broken, "no task was made unhealthy", number=1)
    samples = [sample for sample in each(record, TasksSample) if sample.t > broken.t]
    if not samples:
        return unknown("the tasks were not listed after one was made unhealthy")
    task = next((t for t in samples[0].tasks if t.id == broken.id), None)
    if task is None:
        return unknown("the unhealthy task is no longer listed")
    told = f"state {task.state}, error {task.error!r}, exit code {task.exit_code}"
    good = task.state == "complete" and not task.error and task.exit_code == 0
    return judged(told, holds=good, missing=_not_ill(record, broken.container))


def _not_ill(record: Record, container: str) -> list[str]:
    """Whether its engine noted that the container's checks failed at last."""
    checks = last(record, Checks, container=container)
    if checks is None:
        return ["its engine's list of checks was not read"]
    codes = [*checks.exit_codes]
    return [] if codes and codes[-1] != 0 else [f"its last checks ended with {codes}"]


@exercise.check(
    "slot-stays-empty",
    phases=TRAP,
    title="With on-failure Swarm does not replace it",
    expected=f"two of three run, unchanged for at least {LEAST_WATCHED_S:.0f} s",
    hint="A task that exits with 0 has not failed: use `any`.",
)
def slot_stays_empty(record: Record) -> Judgement:
    """The restart condition of the lab's stack file."""
    defined = need(record, Definition, "nobody read the definition", when="before")
    watched = need(record, Watched, "nobody watched")
    broken = need(record, Broken, "no task was made unhealthy")
    seconds, remedy = watched.seconds, _remedy(record)
    samples = [
        s
        for s in readings.task_lists(record)
        if s.t >= watched.t and (remedy is None or s.t <= remedy)
    ]
    if not samples:
        return unknown("the tasks were not listed after the watch")
    running = [at_work(sample.tasks) for sample in samples]
    told = f"{defined.restart_condition}: {len(running[-1])} run after {seconds:.0f} s"
    empty = all(t.slot != broken.slot for tasks in running for t in tasks)
    good = empty and all(len(tasks) == REPLICAS - 1 for tasks in running)
    order = out_of_order(
        ("the definition", defined.t),
        ("the fault", broken.t),
        ("the beginning of the watch", watched.t - seconds),
    )
    if defined.restart_condition != "on-failure" or seconds < LEAST_WATCHED_S:
        order.append("it was watched under another condition, or not for long enough")
    return judged(told, holds=good, missing=order)


def _remedy(record: Record) -> float | None:
    """When the service was told of the other restart condition; the new definition came later."""
    mine = [c for c in each(record, Command) if "--restart-condition" in c.argv]
    told = [c.t - c.seconds for c in mine if "update" in c.argv]
    after = last(record, Definition, when="after")
    return told[-1] if told else after.t if after else None


@exercise.check(
    "any-heals",
    phases=TRAP,
    title="With any Swarm replaces it",
    expected="three tasks run, one of them in the empty slot",
    hint="`docker service inspect trap`: RestartPolicy.Condition.",
)
def any_heals(record: Record) -> Judgement:
    """The erratum mended on the running service."""
    defined = need(record, Definition, "nobody read the new definition", when="after")
    broken = need(record, Broken, "no task was made unhealthy")
    latest = last_list(record)
    running = at_work(latest.tasks) if latest else []
    slot, id_ = broken.slot, broken.id
    heirs = [t for t in running if t.slot == slot and t.id != id_]
    told = f"{defined.restart_condition}: {len(running)} run, {len(heirs)} in that slot"
    good = defined.restart_condition == "any" and len(running) == REPLICAS and heirs
    empty = [
        s
        for s in readings.task_lists(record)
        if broken.t < s.t < defined.t and all(t.slot != slot for t in at_work(s.tasks))
    ]
    early = out_of_order(
        ("that its slot was empty", empty[-1].t if empty else None),
        ("the new definition", defined.t),
        ("the list of the tasks", latest.asked if latest else None),
    )
    strange = []
    if latest and id_ not in {task.id for task in latest.tasks}:
        strange.append("its end is not listed: the list is of another service")
    return judged(told, holds=bool(good), missing=strange, early=early)
