"""What a machine's engine has set up for published ports: IPVS, and its ways through VXLAN.

A request to a published port is balanced by the machine that gets it, and goes through the network
`ingress` to the machine of a replica. Each engine programs both from what it hears by gossip.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pytest_swarmlab.errors import CommandError
from pytest_swarmlab.evidence.events import Mesh, Way
from pytest_swarmlab.parallel import at_once
from pytest_swarmlab.waiting.conditions import (
    IPVS,
    NAMESPACES,
    balanced,
    brief,
    no_answer,
    understood,
)

if TYPE_CHECKING:
    from pytest_swarmlab.evidence.recorder import Recorder
    from pytest_swarmlab.swarm.node import Node

ENDPOINT = "ingress-sbox"
"""The machine's own endpoint, among the containers of the network that an engine knows."""


def mesh_of(node: Node) -> Mesh:
    """The machine's part in the mesh, or why it can't be seen."""
    try:
        network = node.engine.api.inspect_network("ingress")
        # libnetwork names a network's namespace after the first ten characters of its id.
        inside = f"--net={NAMESPACES}/1-{network['Id'][:10]}"
        table = node.look(*IPVS).stdout
        forwarded = node.look("nsenter", inside, "bridge", "-j", "fdb", "show").stdout
        neighbours = node.look("nsenter", inside, "ip", "-j", "neigh", "show").stdout
        with understood("its part in the mesh"):
            here = {
                whose: each["IPv4Address"].partition("/")[0]
                for whose, each in (network["Containers"] or {}).items()
            }
            ways = _ways(json.loads(forwarded), json.loads(neighbours))
    except no_answer() as error:
        return Mesh(node.name, error=brief(error))
    except CommandError as error:
        return Mesh(node.name, error=str(error))
    own = here.pop(ENDPOINT, "")
    return Mesh(node.name, own, tuple(here.values()), tuple(balanced(table)), ways)


def record_mesh(nodes: Iterable[Node], recorder: Recorder) -> None:
    """Record the same of all these machines, read in parallel."""
    for seen in at_once(mesh_of, nodes):
        recorder.write(seen)


def _ways(forwarded: list[dict[str, Any]], neighbours: list[dict[str, Any]]) -> tuple[Way, ...]:
    """Address → link address → machine: the kernel follows both, and one of them may be missing."""
    machines = {each["mac"]: each["dst"] for each in forwarded if "dst" in each}
    return tuple(
        Way(each["dst"], machines.get(each.get("lladdr"), ""))
        for each in neighbours
        if each["dev"].startswith("vxlan")
    )
