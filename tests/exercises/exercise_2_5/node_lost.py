"""The machine that runs the database loses power."""

import math
from collections.abc import Mapping

from pytest_swarmlab import unknown
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import need
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import (
    Window,
    another_cluster,
    judged,
    not_away,
    out_of_order,
    pauses,
)
from pytest_swarmlab.model import Judgement

from .. import whose
from .declared import LOST, exercise
from .events import Labelled
from .seen import nodes_of_tasks, not_installed
from .setting import DATABASE

UNSEEN_S = 5.0
"""Longest that no manager may be asked where the database runs; each is, five times a second."""


@exercise.check(
    "database-moves",
    phases=LOST,
    title="The database moves to another machine",
    expected="one task, on a surviving labelled node, before the lost node is back and after",
    hint="`docker node inspect worker2`: has another node than the lost one the label storage=nfs?",
)
def database_moves(record: Record) -> Judgement:
    """The database must have run on the lost node before, and that node must have been lost."""
    if refused := not_installed(record):
        return refused
    fault, database = readings.fault(record), whose.named(record, "wordpress-database", DATABASE)
    samples = readings.task_lists(record, database)
    if fault is None or fault.heal_began is None or fault.healed is None or not samples:
        return unknown("no node was lost and returned, or the tasks were not listed")
    before = [s for s in samples if s.t <= fault.began]
    away = [s for s in samples if fault.began <= s.asked and s.t <= fault.heal_began]
    after = [s for s in samples if s.asked >= fault.healed]
    where = nodes_of_tasks(before[-1]) if before else []
    if where != [*fault.nodes]:
        return unknown(f"it was on {where or 'no node'} when {', '.join(fault.nodes)} was lost")
    labelled = need(record, Labelled, "the nodes' labels were not read")
    moved, at_last = (nodes_of_tasks(part[-1]) if part else [] for part in (away, after))
    told = f"from {where[0]} to {', '.join(moved) or 'nowhere'}"
    window = Window(fault.began - UNSEEN_S / 2, fault.healed + UNSEEN_S / 2)
    unseen = pauses((s.asked for s in samples), window, UNSEEN_S)
    if unseen:
        return unknown(f"{told}; nobody listed the database's tasks {unseen[0]}")
    wrong = [
        f"{when} on {', '.join(found) or 'no node'}"
        for when, part, found in (("while it was away", away, moved), ("at last", after, at_last))
        if part and (len(found) != 1 or not set(found) <= set(labelled.nodes) - set(where))
    ]
    if away and after and moved != at_last:
        wrong.append(f"at last on {', '.join(at_last) or 'no node'}")
    first = next((s.t for s in away if nodes_of_tasks(s) == moved), math.inf)
    if any(set(where) & set(nodes_of_tasks(s)) for s in samples if s.t > first):
        wrong.append(f"then listed on {where[0]} again")
    missing = [] if after else ["nobody listed its tasks when the machine was back"]
    # The task of before is listed for a while: a list without it is of another service.
    if after and not {t.id for t in before[-1].tasks} & {t.id for t in after[-1].tasks}:
        missing.append("what became of its task is not listed")
    missing += another_cluster(readings.node_samples(record))
    missing += not_away(record, fault, until=fault.heal_began)
    missing += out_of_order(("the labels", labelled.t), ("the loss", fault.began))
    return judged(told, wrong=wrong, missing=missing)


@exercise.check(
    "node-returns",
    phases=LOST,
    title="The lost machine rejoins the swarm",
    expected="the managers list it as down, then as ready, under the same id",
    hint="`docker node ls`, and the node's console in the report's directory.",
)
def node_returns(record: Record) -> Judgement:
    """Booted on its old disk, which knows which node it is."""
    fault, lists = readings.fault(record), [s for s in readings.node_samples(record) if s.nodes]
    if fault is None or not fault.nodes or fault.heal_began is None or fault.healed is None:
        return unknown("no machine lost power and got it again")
    name, seconds = fault.nodes[0], readings.node_back_s(record)
    before = [row for s in lists if s.t <= fault.began and (row := s.node(name))]
    after = [row for s in lists if s.asked >= fault.healed and (row := s.node(name))]
    if not before or not after:
        return unknown("nobody listed the nodes before it was lost, or after it was back")
    told = f"{name} is {after[-1].state} at the end"
    if seconds is not None:
        told += f"; first seen as ready {seconds:.1f} s after it was lost"
    same = before[-1].identity == after[-1].identity
    return judged(
        told,
        holds=after[-1].state == "ready" and seconds is not None,
        wrong=[] if same else ["its node id is another one than before"],
        missing=not_away(record, fault, until=fault.heal_began),
    )


@exercise.measure(phases=LOST)
def moved(record: Record) -> Mapping[str, float | None]:
    """Seconds until the node is down, and until the database runs again."""
    return {
        "node_down_s": readings.node_down_s(record),
        "database_restarted_s": readings.replicas_restored_s(
            record, 1, whose.named(record, "wordpress-database", DATABASE)
        ),
        "node_back_s": readings.node_back_s(record),
    }
