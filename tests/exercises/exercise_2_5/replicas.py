"""Every replica of WordPress is replaced, and five are made of three."""

from pytest_swarmlab import unknown
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import need
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import judged, not_each, out_of_order
from pytest_swarmlab.model import Judgement

from .declared import ROLLED, SCALED, exercise
from .events import Begun, Served
from .seen import not_installed, running, wordpress
from .setting import MORE_REPLICAS, REPLICAS, WORDPRESS


@exercise.check(
    "every-replica-replaced",
    phases=ROLLED,
    title="Every replica is replaced",
    expected=f"{REPLICAS} tasks before, {REPLICAS} others after",
    hint="`docker service inspect wp_wordpress`: UpdateStatus; was the update paused?",
)
def every_replica_replaced(record: Record) -> Judgement:
    """Judged by the tasks' ids."""
    began = need(record, Begun, "the change's beginning was not recorded").t
    samples = readings.task_lists(record, WORDPRESS)
    parts = [s for s in samples if s.t <= began], [s for s in samples if s.asked > began]
    if not all(parts):
        return unknown("the tasks were not listed before and after the change")
    before, after = ({t.id for t in part[-1].tasks if t.running} for part in parts)
    # Those of before are listed for a while: a list without them is of another service.
    strange = before - {t.id for t in parts[1][-1].tasks}
    told = f"{len(before)} before, {len(after)} after, {len(before & after)} of them the same"
    whole = len(before) == len(after) == REPLICAS
    missing = [f"what became of {len(strange)} of them is not listed"] if strange else []
    return judged(told, holds=whole and not before & after, missing=missing)


@exercise.check(
    "five-run",
    phases=SCALED,
    title="Five replicas run",
    expected=f"{WORDPRESS} {MORE_REPLICAS}/{MORE_REPLICAS}",
    hint="`docker service ps wp_wordpress`: why does one not start?",
)
def five_run(record: Record) -> Judgement:
    """The lab's question: what happens at five?"""
    if refused := not_installed(record):
        return refused
    began = need(record, Begun, "the change's beginning was not recorded").t
    return running(record, {wordpress(record): MORE_REPLICAS}, ("the change", began))


@exercise.check(
    "five-serve",
    phases=SCALED,
    title="Each of the five replicas answers visitors",
    expected="every replica's own log has requests that came through ingress",
    hint="Does every node balance over five? `ipvsadm` in the namespace ingress_sbox.",
)
def five_serve(record: Record) -> Judgement:
    """Judged by the web servers' logs."""
    if refused := not_installed(record):
        return refused
    began = need(record, Begun, "the change's beginning was not recorded").t
    seen = need(record, Served, "nobody read the replicas' logs")
    served = seen.by_task
    listed = readings.task_lists(record, wordpress(record))
    at_work = [t.id for t in listed[-1].tasks if t.running] if listed else []
    told = f"requests by replica: {', '.join(map(str, served.values()))}"
    missing = not_each(served, at_work, "read the log of")
    if len(served) < MORE_REPLICAS:
        missing.append(f"the logs of {len(served)} replicas were read")
    missing += out_of_order(
        ("the change", began),
        ("the list of the tasks", listed[-1].t if listed else None),
        ("the reading of the logs", seen.t),
    )
    return judged(told, holds=all(served.values()), missing=missing)
