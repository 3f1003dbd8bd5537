"""What SELinux keeps containers from on somebody's own nodes, in a sentence before it happens."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pytest_swarmlab.parallel import at_once
from pytest_swarmlab.waiting.conditions import no_answer

if TYPE_CHECKING:
    from pytest_swarmlab.swarm.cluster import Node, Swarm

OPTION = "name=selinux"
"""Among an engine's security options where it was told to confine containers with SELinux."""


def confinement(swarm: Swarm) -> str | None:
    """Where containers are confined so, and what permits what exercises do; None if nowhere.

    A container is then denied what its program does with a bound directory of the node, or on NFS:
    all that a test sees is a "Permission denied" of the program.
    """
    asked = zip(swarm.nodes, at_once(_permits_nfs, swarm.nodes), strict=True)
    confined = {node: permits for node, permits in asked if permits is not None}
    if not confined:
        return None
    without_nfs = [node for node, permits in confined.items() if not permits]
    told = (
        f"SELinux confines containers on {_names(confined)}: where one gets 'Permission denied' in"
        " a directory of the node, label that (`chcon -Rt container_file_t DIR`, since Swarm"
        " ignores :z)"
    )
    if without_nfs:
        told += f", and permit NFS on {_names(without_nfs)} (`setsebool -P virt_use_nfs on`)"
    return told


def _permits_nfs(node: Node) -> bool | None:
    """Whether the node's confined containers may use NFS; None where none is confined."""
    try:
        options = node.engine.info().get("SecurityOptions") or []
    except no_answer():
        return None
    # In permissive mode nothing is denied, only logged.
    if OPTION in options and node.look("getenforce", check=False).stdout.strip() == "Enforcing":
        return node.look("getsebool", "virt_use_nfs", check=False).stdout.split()[-1:] == ["on"]
    return None


def _names(nodes: Iterable[Node]) -> str:
    return ", ".join(node.name for node in nodes)
