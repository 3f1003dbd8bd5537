"""What SELinux keeps containers from on somebody's own nodes, in a sentence before it happens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    confined = _those(swarm.nodes, _confines)
    if not confined:
        return None
    permitted = _those(confined, _permits_nfs)
    without_nfs = [node for node in confined if node not in permitted]
    told = (
        f"SELinux confines containers on {_names(confined)}: where one gets 'Permission denied' in"
        " a directory of the node, label that (`chcon -Rt container_file_t DIR`, since Swarm"
        " ignores :z)"
    )
    if without_nfs:
        told += f", and permit NFS on {_names(without_nfs)} (`setsebool -P virt_use_nfs on`)"
    return told


def _confines(node: Node) -> bool:
    try:
        options = node.engine.info().get("SecurityOptions") or []
    except no_answer():
        return False
    # In permissive mode nothing is denied, only logged.
    return OPTION in options and node.look("getenforce", check=False).stdout.strip() == "Enforcing"


def _permits_nfs(node: Node) -> bool:
    return node.look("getsebool", "virt_use_nfs", check=False).stdout.split()[-1:] == ["on"]


def _those(nodes: Sequence[Node], have_it: Callable[[Node], bool]) -> list[Node]:
    return [node for node, has in zip(nodes, at_once(have_it, nodes), strict=True) if has]


def _names(nodes: list[Node]) -> str:
    return ", ".join(node.name for node in nodes)
