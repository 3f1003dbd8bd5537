"""A node was lost and returned, judged on the record alone."""

from __future__ import annotations

from pytest_swarmlab import failed, unknown
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import each, last
from pytest_swarmlab.evidence.readings import Fault
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import (
    another_cluster,
    judged,
    not_awaited,
    not_the_leader,
    out_of_order,
)
from pytest_swarmlab.model import Judgement

from .. import identities
from .declared import LEADER, NODES, exercise
from .events import Recovered, Struck
from .setting import RETURN

identities.declare(exercise, LEADER)


@exercise.check(
    "node-gone-and-back",
    phases=NODES,
    title="The managers list the node as down, then as ready again",
    expected="down during the fault, ready under the same id at the end",
    hint="`docker node ls`, and the node's console in the report's directory.",
)
def node_gone_and_back(record: Record) -> Judgement:
    """As the other managers list it."""
    fault = readings.fault(record)
    struck = next((e for e in each(record, Struck) if e.what != RETURN), None)
    if struck is None or fault is None or fault.heal_began is None or fault.healed is None:
        return unknown("no fault hit a node, or it was not healed")
    name = str(struck.node)
    if name not in fault.nodes:
        return failed(f"{', '.join(fault.nodes)} was lost, not {name}")
    # A partition holds all nodes; the lists of the others count.
    samples = readings.node_samples(record, surviving=False)
    lists = [s for s in samples if s.nodes and s.seen_from != name]
    before = [row for s in lists if s.t <= fault.began and (row := s.node(name))]
    listed = [
        (s, row) for s in lists if s.asked > fault.injected and s.t <= fault.heal_began
        if (row := s.node(name))
    ]  # fmt: skip
    while_on = [row for _, row in listed]
    after = [row for s in lists if s.asked >= fault.healed and (row := s.node(name))]
    if not before or not while_on or not after:
        return unknown("the nodes were not listed before, during and after the fault")
    told = f"{name}: {while_on[-1].state} during the fault, {after[-1].state} at the end"
    same = before[-1].identity == after[-1].identity
    missing = out_of_order(("the beginning", struck.t), ("the fault", fault.injected))
    missing += _mended_first(record, fault)
    down = next((s.t for s, row in listed if row.state == "down"), None)
    if down is not None and any(s.asked > down and row.state == "ready" for s, row in listed):
        missing.append(f"{name} was listed as ready again before the fault was healed")
    back = after[-1].state == "ready"
    late = [] if back else not_awaited(record, fault.healed)
    return judged(
        told,
        holds=while_on[-1].state == "down" and (back or bool(late)),
        wrong=[] if same else ["its node id is another one than before"],
        missing=[*late, *missing],
    )


def _mended_first(record: Record, fault: Fault) -> list[str]:
    """Whether the fault was healed before the recovery from the node's return."""
    back = last(record, Recovered, what=RETURN)
    if back is None:
        return []
    return out_of_order(("the healing", fault.healed), ("the recovery from it", back.t))


@exercise.check(
    "another-leads",
    phases=LEADER,
    title="Another manager leads",
    expected="the lost node led before the fault; another node leads during it",
    hint="`docker node ls` on the survivors.",
)
def another_leads(record: Record) -> Judgement:
    """As the survivors list it."""
    fault = readings.fault(record)
    if fault is None or fault.heal_began is None:
        return unknown("no fault hit a node, or it was not healed")
    lists = readings.node_samples(record)
    led = [
        s.leader for s in lists
        if s.leader and s.asked > fault.injected and s.t <= fault.heal_began
    ]  # fmt: skip
    if not led:
        return unknown("no manager named a leader during the fault")
    told = f"{led[-1]} leads while {', '.join(fault.nodes)} is lost"
    missing = not_the_leader(record, fault, within=5.0) + another_cluster(lists)
    missing += _mended_first(record, fault)
    return judged(told, holds=led[-1] not in fault.nodes, missing=missing)
