"""Measurements: seconds from the beginning of the first fault."""

from __future__ import annotations

from pytest_swarmlab.evidence.events import NodesSample, TasksSample
from pytest_swarmlab.evidence.readings.broken import fault, fault_at
from pytest_swarmlab.evidence.readings.clients import (
    longest_gap,
    longest_gap_by_node,
    request_errors,
    requests,
)
from pytest_swarmlab.evidence.readings.leader import leading_before
from pytest_swarmlab.evidence.readings.nodes import first_seen, identities_of, in_state
from pytest_swarmlab.evidence.readings.tasks import first_restored
from pytest_swarmlab.evidence.record import Record


def leader_elected_s(record: Record) -> float | None:
    """Until a surviving manager first shows a leader other than the old one."""
    began = fault_at(record)
    if began is None or (old := leading_before(record, began)) is None:
        return None

    def another(sample: NodesSample) -> bool:
        return sample.leading is not None and sample.leading.identity != old.identity

    return _since(began, first_seen(record, another, after=began))


def leader_unreachable_s(record: Record) -> float | None:
    """Until a surviving manager first shows the old leader as unreachable."""
    began = fault_at(record)
    if began is None or (old := leading_before(record, began)) is None:
        return None

    def unreachable(sample: NodesSample) -> bool:
        rows = (row for row in sample.nodes if row.identity == old.identity)
        return any(row.reachability == "unreachable" for row in rows)

    return _since(began, first_seen(record, unreachable, after=began))


def node_down_s(record: Record) -> float | None:
    """Until a surviving manager first shows the faulted node as down."""
    first = fault(record)
    if first is None or not first.nodes:
        return None
    down = in_state(identities_of(record, first.nodes[0]), "down")
    return _since(first.began, first_seen(record, down, after=first.began))


def node_back_s(record: Record) -> float | None:
    """Until a surviving manager shows the faulted node as ready after it was healed."""
    first = fault(record)
    if first is None or first.heal_began is None or not first.nodes:
        return None
    meant = identities_of(record, first.nodes[0])
    left = first_seen(
        record,
        lambda s: (row := s.one_of(meant)) is not None and row.state != "ready",
        after=first.began,
    )
    # A state left over from before the fault must not pass for a return.
    after = first.heal_began if left is not None else first.healed
    return _since(first.began, first_seen(record, in_state(meant, "ready"), after=after))


def replicas_restored_s(record: Record, wanted: int, service: str | None = None) -> float | None:
    """Until the wanted number of tasks run on nodes that are not the faulted one."""
    return _since(fault_at(record), first_restored(record, wanted, service))


def longest_gap_s(record: Record) -> float | None:
    """Length of `longest_gap`."""
    gap = longest_gap(record)
    return None if gap is None else round(gap.seconds, 3)


def failover_measurements(
    record: Record, *, wanted: int, service: str | None = None
) -> dict[str, float | int | dict[str, float] | None]:
    """The figures of one drill as they stand in results.json."""
    return {
        "leader_unreachable_s": leader_unreachable_s(record),
        "leader_elected_s": leader_elected_s(record),
        "node_down_s": node_down_s(record),
        "node_back_s": node_back_s(record),
        "replicas_restored_s": replicas_restored_s(record, wanted, service),
        "probes": len(requests(record)),
        "probe_errors": len(request_errors(record)),
        "longest_gap_s": longest_gap_s(record),
        "longest_gap_by_node_s": {
            name: round(gap.seconds, 3) for name, gap in longest_gap_by_node(record).items()
        },
    }


def _since(began: float | None, sample: NodesSample | TasksSample | None) -> float | None:
    return None if began is None or sample is None else round(sample.t - began, 3)
