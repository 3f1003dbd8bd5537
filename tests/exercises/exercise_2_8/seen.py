"""Readings that several judges of exercise 2.8 share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_swarmlab import failed, passed, unknown
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import ClusterReady, last, need
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import Moment, another_cluster, judged, nodes_of, out_of_order
from pytest_swarmlab.model import Judgement, Membership

from .events import Elsewhere, Forced, Restore

MANAGERS, WORKERS = 3, 2
"""The lab's cluster; somebody's own is to be as large as it was."""


def as_expected(codes: Mapping[str, int | None], wanted: Mapping[str, int]) -> Judgement:
    """Whether each case ended with the exit code that it must have."""
    missing = [case for case in wanted if codes.get(case) is None]
    told = "; ".join(f"{case}: {codes[case]}" for case in wanted if case not in missing)
    if missing:
        return unknown(f"{told}; never tried: {', '.join(missing)}")
    return passed(told) if all(codes[c] == wanted[c] for c in wanted) else failed(told)


def way_back(record: Record) -> list[Moment]:
    """The moments before any later reading: the loss, and what undid it."""
    fault, forced, restore = readings.fault(record), last(record, Forced), last(record, Restore)
    again = ("the restore", restore.t if restore else None)
    if elsewhere := last(record, Elsewhere):
        return [("the backup on a new machine", elsewhere.t), again]
    lost = ("the destruction", fault.began if fault else None)
    if forced is not None:
        return [lost, ("the new cluster", forced.t)]
    return [
        lost,
        ("the new machines", fault.healed if fault else None),
        again,
    ]


def first_managers(record: Record) -> list[str]:
    """The machines that started as managers."""
    ready = need(record, ClusterReady, "the cluster's nodes were not recorded")
    return [node.name for node in ready.nodes if node.membership == Membership.MANAGER]


def whole(record: Record, after: Sequence[Moment]) -> Judgement:
    """Whether the last node list, asked for after those moments, shows the lab's cluster."""
    lists = [s for s in readings.node_samples(record) if s.nodes]
    if not lists:
        return unknown("no manager listed the nodes")
    rows = lists[-1].nodes
    managers = [n for n in rows if n.reachability == "reachable"]
    workers = [n for n in rows if n.role == "worker"]
    unfit = [n.name for n in rows if n.state != "ready"]
    leaders = [n.name for n in rows if n.leader]
    told = (
        f"{len(managers)} managers reachable, {len(workers)} workers, leader:"
        f" {', '.join(leaders) or 'none'}, not ready: {', '.join(unfit) or 'none'}"
    )
    first, all_of_them = sorted(first_managers(record)), sorted(nodes_of(record))
    wanted = len(first), len(all_of_them) - len(first)
    if last(record, Elsewhere) is None:
        wanted = MANAGERS, WORKERS
    good = (len(managers), len(workers), len(leaders), len(rows)) == (*wanted, 1, sum(wanted))
    names = sorted(n.name for n in managers), sorted(n.name for n in rows)
    holds = good and not unfit and names == (first, all_of_them)
    if names[0] != first:
        told += f"; managers: {', '.join(names[0])}"
    if names[1] != all_of_them:
        told += f"; listed: {', '.join(names[1])}"
    early = out_of_order(*after, ("the last node list", lists[-1].asked))
    return judged(told, holds=holds, missing=another_cluster(lists), early=early)
