"""A quorum is lost for good; the survivor is enough."""

from __future__ import annotations

from pytest_swarmlab import unknown
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import Write, each, last, need
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import judged, nodes_of, out_of_order
from pytest_swarmlab.model import Judgement

from .declared import FORCED, exercise
from .events import CameBack, Forced, Joined
from .seen import first_managers, way_back


@exercise.check(
    "survivor-is-enough",
    phases=FORCED,
    title="One surviving manager restores a swarm without a quorum, without a backup",
    expected="changes are refused, then --force-new-cluster ends with 0 and changes are accepted",
    hint="Run it on a manager that survived, with its own --advertise-addr.",
)
def survivor_is_enough(record: Record) -> Judgement:
    """--force-new-cluster forgets only the other managers."""
    forced = need(record, Forced, "nobody forced a new cluster")
    fault = readings.fault(record)
    if fault is None:
        return unknown("no quorum was lost")
    mine = each(record, Write, node=forced.node)
    refused = [w for w in mine if fault.began < w.t < forced.t and w.wants_quorum]
    accepted = [write for write in mine if write.t > forced.t and not write.error]
    told = (
        f"before: {len(refused)} changes refused; exit code {forced.code}; after:"
        f" {len(accepted)} accepted"
    )
    if not refused:
        return unknown(f"{told}; there was a quorum")
    left = sorted(set(first_managers(record)) - set(fault.nodes))
    missing = [] if left == [forced.node] else [f"{', '.join(left)} survived"]
    if fault.heal_began is not None and forced.t > fault.heal_began:
        missing.append("the lost managers' machines existed again by then")
    return judged(told, holds=forced.code == 0 and bool(accepted), missing=missing)


@exercise.check(
    "workers-come-back",
    phases=FORCED,
    title="Workers that kept their disks rejoin by themselves",
    expected="both workers, and no other machine: the lost managers' new machines had to join",
    hint="Workers use the managers' known addresses: has the survivor kept its own?",
)
def workers_come_back(record: Record) -> Judgement:
    """Their certificates are the swarm's, and the swarm is the same."""
    back, joined = last(record, CameBack), last(record, Joined)
    fault, lists = readings.fault(record), [s for s in readings.node_samples(record) if s.nodes]
    if back is None or joined is None or fault is None or not lists:
        return unknown("the machines were not listed")
    came = set(back.nodes)
    told = f"rejoined by themselves: {', '.join(sorted(came)) or 'none'}; joined: {[*joined.nodes]}"
    workers = set(nodes_of(record)) - set(first_managers(record))
    good = came == workers and set(joined.nodes) == set(fault.nodes)
    rows = [{n.name: (n.identity, n.role) for n in s.nodes} for s in (lists[0], lists[-1])]
    wrong = [
        f"{name} is {' '.join(rows[1].get(name, ('not listed',)))},"
        f" was {' '.join(rows[0].get(name, ('not listed',)))}"
        for name in sorted(workers)
        if rows[0].get(name) != rows[1].get(name)
    ]
    order = out_of_order(
        ("the first node list", lists[0].t),
        *way_back(record),
        ("who came back", back.t),
        ("the joins", joined.t),
        ("the last node list", lists[-1].asked),
    )
    return judged(told, holds=good, wrong=wrong, missing=order)
