"""Who each machine is in the swarm: read on the machine, compared later.

A node is its id. Its engine has one; its certificate names one, and the role in which it may act.
Swarm can give one node's certificate to another while leadership moves (docs/findings.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_swarmlab.errors import Unseen
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import Identities, Identity, each
from pytest_swarmlab.evidence.record import Record


@dataclass(frozen=True)
class Kept:
    """The comparison of identities.

    `wrong`: every difference, in words. `taken`: each difference is a machine with another
    machine's identity. `seen`: the readings, in words. `asked`: the machines that were asked at the
    end.
    """

    wrong: tuple[str, ...]
    taken: bool
    seen: str
    asked: frozenset[str]


def kept(record: Record) -> Kept:
    """Compare each machine with its first reading.

    It must have the same id, a certificate in that id's name, and in it the role that it had or
    that the managers have given it since; a machine that was destroyed begins anew. Raises Unseen
    when the record can't tell: no second reading, none after the last change of leader, or a
    machine that was not asked at the end.
    """
    found = each(record, Identities)
    if not found:
        raise Unseen("the machines' identities were not read")
    wrong = dict(_wrong(found, readings.faults(record)))
    last = found[-1]
    roles = Counter(machine.role for machine in last.machines if machine.id)
    counts = ", ".join(f"{count} {role}s" for role, count in sorted(roles.items()))
    seen = f"{len(found)} readings, at the end {counts or 'no member'}: no identity has changed"
    asked = frozenset(machine.node for machine in last.machines if not machine.error)
    if wrong:
        return Kept(tuple(wrong), all(wrong.values()), seen, asked)
    known = {machine.node for reading in found for machine in reading.machines if machine.id}
    if len(found) < 2 or not known:
        raise Unseen("the machines' identities were not read a second time")
    if missed := sorted(known - asked):
        raise Unseen(f"{', '.join(missed)} gave no identity at the end")
    changes = readings.leader_changes(record)
    if changes and changes[-1].t > last.t:
        raise Unseen(f"no identity was read after {changes[-1].name} had begun to lead")
    return Kept((), False, seen, asked)


def _wrong(
    found: Sequence[Identities], broken: Sequence[readings.Fault]
) -> Iterator[tuple[str, bool]]:
    """The differences, and whether each is a machine with another machine's identity."""
    first: dict[str, Identity] = {}
    destroyed = [
        (node, fault) for fault in broken if fault.kind == "destroy" for node in fault.nodes
    ]
    before = 0.0
    for reading in found:
        for node, fault in destroyed:
            if before <= fault.began <= reading.t:
                first.pop(node, None)
        before = reading.t
        for machine in reading.machines:
            if machine.id:
                first.setdefault(machine.node, machine)
        owners = {machine.id: node for node, machine in first.items()}
        for machine in reading.machines:
            was = first.get(machine.node)
            if was and not machine.error:
                yield from _differs(machine, was, owners, reading.roles.get(was.id))
        for id_, count in Counter(m.id for m in reading.machines if m.id).items():
            if count > 1:
                same = " and ".join(m.node for m in reading.machines if m.id == id_)
                yield f"{same} say that they are the same node, {id_}", True


def _differs(
    machine: Identity, was: Identity, owners: Mapping[str, str], given: str | None
) -> Iterator[tuple[str, bool]]:
    """How one machine's identity has changed. `given`: its role by the managers' list."""
    others = {id_: node for id_, node in owners.items() if node != machine.node}
    taken = bool({machine.id, machine.name} & set(others))
    if not machine.id:
        yield f"{machine.node} was the node {was.id}, and is in no swarm now", taken
    elif machine.id != was.id:
        whose = f"{others[machine.id]}, " if machine.id in others else ""
        yield f"{machine.node} was the node {was.id}, and is now {whose}{machine.id}", taken
    if machine.name != was.id:
        whose = f"{others[machine.name]}, " if machine.name in others else ""
        yield (
            f"the certificate of {machine.node}, the node {was.id}, names"
            f" {whose}{machine.name or 'nobody'}",
            taken,
        )
    if machine.role not in {was.role, given}:
        role = machine.role or "nobody"
        yield (
            f"the certificate of {machine.node} is a {role}'s, and it is a {given or was.role}",
            taken,
        )
