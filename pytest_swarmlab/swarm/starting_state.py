"""Finds how a used cluster differs from a new one, in everything that a test may change."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pytest_swarmlab.parallel import at_once

if TYPE_CHECKING:
    from pytest_swarmlab.evidence.events import NodeSeen
    from pytest_swarmlab.swarm.cluster import Node, Swarm

CLOCK_S = 5.0
"""Seconds by which a node's clock may differ from this machine's: far below any wait of a drill,
and above the time a busy engine takes to answer."""


ANONYMOUS = re.compile(r"[0-9a-f]{64}")
"""Name of an anonymous volume: no other test can meet it."""


def availability(rows: Iterable[NodeSeen]) -> Iterator[str]:
    """Rows of nodes that accept no tasks, in words; services could not converge."""
    for row in rows:
        if row.availability != "active":
            yield f"{row.name} is set to {row.availability}"


def changes(swarm: Swarm, *, volumes: bool = True) -> list[str]:
    """Every difference from a newly formed cluster, in words.

    `volumes`: whether volumes count, which `docker stack rm` leaves on each node. Raises what the
    engines' API raises.
    """
    rows = swarm.look()[1]
    found = list(availability(rows))
    found += [f"{row.name} has an old row" for row in swarm.leftovers(rows)]
    api = swarm.leader().engine.api
    for node in api.nodes():
        if labels := node["Spec"].get("Labels"):
            found.append(f"{node['Description']['Hostname']} has the label {', '.join(labels)}")
    for kind, left in (
        ("network", [n["Name"] for n in api.networks() if _made(n)]),
        ("secret", [secret["Spec"]["Name"] for secret in api.secrets()]),
        ("config", [config["Spec"]["Name"] for config in api.configs()]),
    ):
        if left:
            found.append(f"there is the {kind} {', '.join(sorted(left))}")
    if (api.inspect_swarm()["Spec"].get("EncryptionConfig") or {}).get("AutoLockManagers"):
        found.append("its managers lock themselves")
    for told in at_once(lambda node: list(_of(node, volumes=volumes)), swarm.nodes):
        found += told
    return found


def _made(network: dict[str, Any]) -> bool:
    """Whether a user has created this network of the swarm."""
    return network.get("Scope") == "swarm" and not network.get("Ingress")


def _of(node: Node, *, volumes: bool) -> Iterator[str]:
    """One engine's own information."""
    info = node.engine.info()
    if told := info.get("SystemTime"):
        off = (datetime.fromisoformat(told) - datetime.now(UTC)).total_seconds()
        if abs(off) > CLOCK_S:
            yield f"the clock of {node} is {abs(off):.0f} s {'fast' if off > 0 else 'slow'}"
    if left := node.engine.api.containers(all=True):
        yield f"{node} has {len(left)} containers"
    if volumes:
        there = [volume["Name"] for volume in node.engine.api.volumes()["Volumes"] or []]
        if named := sorted(name for name in there if not ANONYMOUS.fullmatch(name)):
            yield f"{node} has the volume {', '.join(named)[:100]}"
