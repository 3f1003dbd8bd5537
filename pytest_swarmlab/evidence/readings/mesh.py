"""Ways of the mesh of published ports that a machine has lost, as the machines themselves told."""

from __future__ import annotations

from collections import defaultdict

from pytest_swarmlab.evidence.events import Mesh, each
from pytest_swarmlab.evidence.record import Record


def lost_ways(record: Record) -> dict[str, list[str]]:
    """Machine → each way that it or its replica's machine lacked at a reading, in words.

    A machine that balances over a replica of another one needs a way to it, the same as to that
    machine's own address in the mesh; and what answers needs a way back. Readings of one round
    follow each other: a machine's next reading begins another round.
    """
    found: defaultdict[str, list[str]] = defaultdict(list)
    for round_ in _rounds(record):
        for mesh in round_.values():
            for other in round_.values():
                if other is not mesh:
                    found[mesh.node] += _lost(mesh, other)
    return {node: list(dict.fromkeys(lost)) for node, lost in found.items() if lost}


def _rounds(record: Record) -> list[dict[str, Mesh]]:
    rounds: list[dict[str, Mesh]] = []
    for mesh in each(record, Mesh):
        if not rounds or mesh.node in rounds[-1]:
            rounds.append({})
        rounds[-1][mesh.node] = mesh
    return [{n: m for n, m in found.items() if m.error is None} for found in rounds]


def _lost(mesh: Mesh, other: Mesh) -> list[str]:
    ways = {way.address: way.via for way in mesh.ways}
    back = {way.address: way.via for way in other.ways}
    replicas = sorted(set(mesh.balanced) & set(other.here))
    lost = []
    for replica in replicas:
        if not ways.get(replica):
            lost.append(f"{mesh.node} had no way to {replica}, a replica on {other.node}")
        elif ways[replica] != ways.get(other.address, ways[replica]):
            lost.append(
                f"{mesh.node} sent to {ways[replica]} what was for {replica}, a replica on"
                f" {other.node}"
            )
    if replicas and not back.get(mesh.address):
        lost.append(f"{other.node} had no way back to {mesh.node}")
    return lost
