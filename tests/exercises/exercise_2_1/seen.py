"""Reads the managers from a record."""

from __future__ import annotations

from pytest_swarmlab.errors import Unseen
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.readings import NodesSample
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import out_of_order

from .declared import MANAGERS, exercise


def managers_of(record: Record) -> int | None:
    """The number of managers at the start of the record's phase."""
    phases = {event.phase for event in record}
    return next((n for name, n in MANAGERS.items() if exercise.phase(name) in phases), None)


def first_lists(record: Record) -> list[NodesSample]:
    """The managers' lists before the fault; raises Unseen if there is none."""
    began = readings.fault_at(record)
    lists = [
        sample
        for sample in readings.node_samples(record, surviving=False)
        if sample.nodes and (began is None or sample.t < began)
    ]
    if not lists:
        raise Unseen("no manager listed the nodes before the fault")
    return lists


def not_before_the_fault(record: Record, what: str, t: float) -> list[str]:
    """Whether what was seen at `t` came only when something was broken already."""
    began = readings.fault_at(record)
    return [] if began is None else out_of_order((what, t), ("the fault", began))


def listed_managers(record: Record) -> set[str]:
    """Names of the managers in the first of those lists."""
    return {node.name for node in first_lists(record)[0].nodes if node.reachability}
