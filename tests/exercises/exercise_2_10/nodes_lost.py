"""A node was away for the others, and is back, judged on the record alone."""

from __future__ import annotations

from pytest_swarmlab import failed, unknown
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import need
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import judged, not_the_leader
from pytest_swarmlab.model import Judgement

from .. import identities
from .declared import LEADER, NODES, exercise
from .events import Struck

identities.declare(exercise, LEADER)


@exercise.check(
    "node-gone-and-back",
    phases=NODES,
    title="The node was away for the others, and is back",
    expected="down while it was away, ready under the same id at the end",
    hint="`docker node ls`, and the node's console in the report's directory.",
)
def node_gone_and_back(record: Record) -> Judgement:
    """As the other managers list it."""
    fault, struck = readings.fault(record), need(record, Struck, "nothing was struck")
    if fault is None or fault.heal_began is None or fault.healed is None:
        return unknown("no node was struck, or it was not mended")
    name = str(struck.node)
    if name not in fault.nodes:
        return failed(f"{', '.join(fault.nodes)} was struck, not {name}")
    # A partition holds all of them; it is the others' word that counts.
    samples = readings.node_samples(record, surviving=False)
    lists = [s for s in samples if s.nodes and s.seen_from != name]
    before = [row for s in lists if s.t <= fault.began and (row := s.node(name))]
    while_on = [
        row for s in lists if s.asked > fault.injected and s.t <= fault.heal_began
        if (row := s.node(name))
    ]  # fmt: skip
    after = [row for s in lists if s.asked >= fault.healed and (row := s.node(name))]
    if not before or not while_on or not after:
        return unknown("nobody listed the nodes before, while it was away, and after")
    told = f"{name}: {while_on[-1].state} while it was away, {after[-1].state} at the end"
    same = before[-1].identity == after[-1].identity
    return judged(
        told,
        holds=while_on[-1].state == "down" and after[-1].state == "ready",
        wrong=[] if same else ["it is another node than before, by its id"],
    )


@exercise.check(
    "another-leads",
    phases=LEADER,
    title="Another manager leads",
    expected="the struck node led before, and another one while it was away",
    hint="`docker node ls` on the survivors.",
)
def another_leads(record: Record) -> Judgement:
    """As the survivors list it."""
    fault = readings.fault(record)
    if fault is None or fault.heal_began is None:
        return unknown("no node was struck, or it was not mended")
    led = [
        s.leader for s in readings.node_samples(record)
        if s.leader and s.asked > fault.injected and s.t <= fault.heal_began
    ]  # fmt: skip
    if not led:
        return unknown("nobody saw who led while it was away")
    told = f"{led[-1]} leads while {', '.join(fault.nodes)} is away"
    missing = not_the_leader(record, fault, within=5.0)
    return judged(told, holds=led[-1] not in fault.nodes, missing=missing)
