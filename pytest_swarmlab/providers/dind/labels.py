"""The labels of everything that a cluster has in the engine: written, and read back."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pytest_swarmlab.model import Membership, NodeSpec, Topology

CLUSTER = "org.swarmlab.cluster"
NODE = "org.swarmlab.node"
OWNER = "org.swarmlab.owner"
TOPOLOGY = "org.swarmlab.topology"
STARTED_AT = "org.swarmlab.started_at"
KEPT = "org.swarmlab.kept"
"""On a volume of its own, made when a cluster is kept: labels can't be changed later."""

WRITTEN = (CLUSTER, OWNER, TOPOLOGY, STARTED_AT)
"""Labels that all objects of a cluster have."""

UNKNOWN = Topology("unknown", ())


@dataclass(frozen=True)
class Owner:
    """A process, told apart from another that gets its number later or in another PID namespace."""

    uid: int
    pid: int
    started: str
    boot: str
    namespace: str

    @classmethod
    def this(cls) -> Owner:
        """The process that asks."""
        pid = os.getpid()
        return cls(os.getuid(), pid, _started(pid), _boot(), _namespace())

    @property
    def alive(self) -> bool:
        """Whether it lives; True also where that can't be told from here."""
        if self.boot != _boot():
            return False
        if self.namespace != _namespace():
            return True
        try:
            return _started(self.pid) == self.started
        except OSError:
            return False


def written(cluster: str, owner: Owner, topology: Topology, started_at: str) -> dict[str, str]:
    """The labels of everything that belongs to a cluster."""
    return {
        CLUSTER: cluster,
        OWNER: json.dumps(asdict(owner)),
        TOPOLOGY: json.dumps(asdict(topology)),
        STARTED_AT: started_at,
    }


def owner(labels: dict[str, str]) -> Owner | None:
    """The process that created it; None if the label is not the plugin's."""
    try:
        return Owner(**json.loads(labels[OWNER]))
    except (KeyError, ValueError, TypeError):
        return None


def topology(labels: dict[str, str]) -> Topology:
    """The topology; without nodes if the label is not the plugin's."""
    try:
        seen: dict[str, Any] = json.loads(labels[TOPOLOGY])
        return Topology(
            str(seen["name"]),
            tuple(
                NodeSpec(n["name"], n["address"], Membership(n["membership"]), n["memory_mib"])
                for n in seen["nodes"]
            ),
        )
    except (KeyError, ValueError, TypeError):
        return UNKNOWN


def _started(pid: int) -> str:
    # The command's name, in parentheses, may hold anything; the 22nd field is the start.
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    return stat.rpartition(")")[2].split()[19]


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _namespace() -> str:
    return str(Path("/proc/self/ns/pid").readlink())
