"""The nouns: a cluster's shape, an event, a judgement. All frozen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pytest_swarmlab.errors import ConfigError

MAX_PER_ROLE = 9
"""Managers sit at .10, .20 … .90 and workers at .11 … .19, so nine of each fit the lab's subnet."""

DEFAULT_MEMORY_MIB = 1024
"""Ceiling of one node; at rest it uses about a tenth (embedded cluster, measured)."""


class Membership(StrEnum):
    """How a node starts: in the swarm as manager or worker, or booted but outside it."""

    MANAGER = "manager"
    WORKER = "worker"
    OUTSIDE = "outside"


class Verdict(StrEnum):
    """What a check comes to.

    PASS: the record shows what is expected. FAIL: it shows something else. UNKNOWN: it does not
    show enough. NOT_PROVABLE: these machines can't show it, whatever the cluster does.
    """

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    UNKNOWN = "unknown"
    NOT_PROVABLE = "not_provable"


class Capability(StrEnum):
    """What a cluster's machines must be able to do for some checks; probed, never assumed."""

    IPVS = "ipvs"
    NFS = "nfs"
    ENCRYPTED_OVERLAY = "encrypted-overlay"
    FUSE = "fuse"
    NETEM = "netem"
    LOOP = "loop"
    START_INTERVAL = "start-interval"
    POWER_OFF = "power-off"
    PAUSE = "pause"
    LINK = "link"
    PARTITION = "partition"
    REPLACE = "replace"
    CHANGE = "change"
    EXPENDABLE = "expendable"

    @property
    def lack(self) -> str:
        """The consequence for a proof if the machines lack the capability."""
        return _LACK[self]


_LACK = {
    Capability.IPVS: "the nodes' kernel has no IPVS, so published ports and service addresses"
    " are not balanced here",
    Capability.NFS: "the nodes' kernel has no NFS",
    Capability.ENCRYPTED_OVERLAY: "the nodes' kernel can't encrypt an overlay network",
    Capability.FUSE: "the nodes' kernel has no file systems that are programs (FUSE)",
    Capability.NETEM: "the nodes' kernel can't slow a link down (netem)",
    Capability.LOOP: "a file can't be mounted as a disk here (loop device)",
    Capability.START_INTERVAL: "an engine here is older than Docker 25 (API 1.44) and knows no"
    " start_interval of a health check",
    Capability.POWER_OFF: "nobody here can cut a machine's power: an inventory's `power: {off, on}`"
    " names commands that can",
    Capability.PAUSE: "nobody here can freeze a machine",
    Capability.LINK: "nobody here can unplug a machine's network",
    Capability.PARTITION: "the nodes have no iptables to part them with",
    Capability.REPLACE: "nobody here can put a new machine at an old one's address",
    Capability.CHANGE: "this cluster is somebody's own and only looked at:"
    " --swarmlab-allow-destructive permits more",
    Capability.EXPENDABLE: "these machines are somebody's own: what belongs to their systems is not"
    " replaced, and none of them is taken out of its swarm",
}


@dataclass(frozen=True)
class NodeSpec:
    """One machine: its name, its address in the lab's network, how it starts, its memory in MiB."""

    name: str
    address: str
    membership: Membership
    memory_mib: int = DEFAULT_MEMORY_MIB


@dataclass(frozen=True)
class Topology:
    """The machines of a cluster, managers first. The first manager creates the swarm."""

    name: str
    nodes: tuple[NodeSpec, ...]

    @classmethod
    def of(
        cls, managers: int = 3, workers: int = 2, *, memory_mib: int = DEFAULT_MEMORY_MIB
    ) -> Topology:
        """A swarm of that many managers and workers at the lab's addresses.

        Raises ConfigError for counts that cannot form a swarm.
        """
        for count, role in ((managers, "managers"), (workers, "workers")):
            if isinstance(count, bool) or not isinstance(count, int):
                raise ConfigError(f"{role}={count!r} is no count: use a whole number")
        if managers < 1:
            raise ConfigError(
                f"a swarm needs at least 1 manager, {managers} were asked for:"
                " use 1, 3, 5 or 7 managers"
            )
        for count, role in ((managers, "managers"), (workers, "workers")):
            if not 0 <= count <= MAX_PER_ROLE:
                raise ConfigError(
                    f"{count} {role} do not fit the lab's addresses: use 0 to {MAX_PER_ROLE}"
                )
        return cls(
            f"{managers}+{workers}",
            tuple(
                NodeSpec(f"manager{n}", manager_address(n), Membership.MANAGER, memory_mib)
                for n in range(1, managers + 1)
            )
            + tuple(
                NodeSpec(f"worker{n}", worker_address(n), Membership.WORKER, memory_mib)
                for n in range(1, workers + 1)
            ),
        )

    @classmethod
    def lab1(cls, *, memory_mib: int = DEFAULT_MEMORY_MIB) -> Topology:
        """Where exercise 2.1 begins: Lab 1's swarm, with manager2 and manager3 outside it."""
        swarm = {
            "manager1": Membership.MANAGER,
            "worker1": Membership.WORKER,
            "worker2": Membership.WORKER,
        }
        return cls(
            "lab1",
            tuple(
                NodeSpec(
                    node.name, node.address, swarm.get(node.name, Membership.OUTSIDE), memory_mib
                )
                for node in cls.of(3, 2).nodes
            ),
        )

    @property
    def managers(self) -> tuple[NodeSpec, ...]:
        """Nodes that start as managers."""
        return tuple(n for n in self.nodes if n.membership is Membership.MANAGER)

    @property
    def workers(self) -> tuple[NodeSpec, ...]:
        """Nodes that start as workers."""
        return tuple(n for n in self.nodes if n.membership is Membership.WORKER)

    @property
    def memory_mib(self) -> int:
        """Ceiling of all nodes together, MiB."""
        return sum(n.memory_mib for n in self.nodes)

    def warning(self) -> str | None:
        """Why this number of managers is a poor choice, or None."""
        count = len(self.managers)
        if count % 2:
            return None
        return (
            f"{count} managers tolerate {tolerance(count)} failures, no more than"
            f" {count - 1} would, and one more machine can fail: use an odd number"
        )


TOPOLOGIES: dict[str, Callable[..., Topology]] = {"lab1": Topology.lab1}
"""Starting states with a name of their own, for ``@pytest.mark.swarm(topology=…)``."""

LEAVES = {"lab1": "3+2"}
"""Starting state → the one that its exercise leaves, so that the same cluster serves both."""


def manager_address(n: int) -> str:
    """Address of the nth manager (from 1) in the lab's network."""
    return f"192.168.56.{10 * n}"


def worker_address(n: int) -> str:
    """Address of the nth worker (from 1) in the lab's network."""
    return f"192.168.56.{10 + n}"


def quorum(managers: int) -> int:
    """The number of managers that make a quorum: ⌊N/2⌋+1."""
    return managers // 2 + 1


def tolerance(managers: int) -> int:
    """The number of managers that may fail with a quorum left: ⌊(N−1)/2⌋."""
    return (managers - 1) // 2


@dataclass(frozen=True)
class Event:
    """One line of the record.

    `t`: seconds since the run began, on a monotonic clock; when something took time, `t` is when
    it was known and the data say how long it took. `at`: the same moment as ISO 8601 UTC. `phase`:
    the part of an exercise it belongs to, such as ``2.2/power-off``, or "". `data`: of the form
    that its kind has, JSON-ready. `worker`: the pytest-xdist worker, such as ``gw0``, that recorded
    it; "" for the run's own process.
    """

    seq: int
    t: float
    at: str
    kind: str
    phase: str
    data: Mapping[str, Any] = field(default_factory=dict)
    worker: str = ""


FINDINGS = "docs/findings.md"
"""Where each known property of Swarm has its name and its story."""


@dataclass(frozen=True)
class Judgement:
    """A judge's answer: a verdict, and in words what was observed.

    `finding`: the name of a known property of Swarm (docs/findings.md), if it alone explains the
    failure.
    """

    verdict: Verdict
    observed: str
    finding: str = ""


@dataclass(frozen=True)
class CheckResult:
    """One check's outcome as the record has it; `finding` as in the judgement.

    `looked_at`: the evidence behind the verdict, in words: commands, moments of the run.
    """

    id: str
    title: str
    verdict: Verdict
    expected: str
    observed: str
    hint: str
    looked_at: str = ""
    finding: str = ""
