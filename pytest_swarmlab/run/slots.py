"""How many clusters a machine carries side by side, and which process holds which place."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from pytest_swarmlab.config import LabConfig
from pytest_swarmlab.errors import HostError
from pytest_swarmlab.model import Topology
from pytest_swarmlab.providers.host import try_lock
from pytest_swarmlab.text import count

CORES_PER_CLUSTER = 1
"""Two embedded clusters leave two cores idle for 70 to 80 % of the time (as issue 13 found); where
a core has no time left, elections take place because of that."""


@dataclass(frozen=True)
class Capacity:
    """How many clusters fit at once, and in one line what limits them."""

    clusters: int
    why: str

    def __str__(self) -> str:
        """How many, for people: ``1 fits``, ``2 fit``."""
        return f"{self.clusters} {'fits' if self.clusters == 1 else 'fit'}"


def capacity(config: LabConfig) -> Capacity:
    """How many clusters this machine carries in this configuration.

    One for each core, and no more than fit into memory if every node of a default cluster (3
    managers, 2 workers) uses all that it may. Of somebody's own machines, and of a Vagrantfile's,
    there is one set only.
    """
    if config.reuse is not None:
        return Capacity(1, "the kept cluster that is run on again is one")
    if config.inventory and config.provider in {"auto", "inventory"}:
        return Capacity(1, "the inventory's cluster is one")
    if config.provider == "vagrant":
        return Capacity(1, "the Vagrantfile has the machines of one cluster")
    topology = Topology.of(memory_mib=config.memory_mib)
    cores, memory = os.cpu_count() or 1, memory_mib()
    return Capacity(
        max(1, min(cores // CORES_PER_CLUSTER, memory // topology.memory_mib)),
        f"this machine has {count(cores, 'core')}, {CORES_PER_CLUSTER} for each cluster, and"
        f" {memory} MiB of memory, {topology.memory_mib} for each ({len(topology.nodes)} nodes of"
        f" {config.memory_mib})",
    )


def memory_mib() -> int:
    """All the memory that this machine has, MiB."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20


def take(config: LabConfig) -> int:
    """Take a place for a cluster; returns the open file that holds it until it is closed.

    The kernel frees the place of a process that was killed. Raises HostError when all are taken.
    """
    there_are = capacity(config)
    holders = []
    try:
        directory = config.cache / "slots"
        directory.mkdir(parents=True, exist_ok=True)
        for number in range(there_are.clusters):
            place = os.open(directory / str(number), os.O_CREAT | os.O_RDWR, 0o600)
            if try_lock(place):
                os.truncate(place, 0)
                os.write(place, f"{os.getpid()}".encode())
                return place
            holders.append(os.read(place, 20).decode("ascii", "replace"))
            os.close(place)
    except OSError as error:
        raise HostError(
            f"the cache {config.cache} can't be written ({error.strerror}):"
            " make it writable, or name another with --swarmlab-cache"
        ) from error
    raise HostError(
        f"as many clusters as fit here, {there_are.clusters}, are under test already (by process"
        f" {', '.join(holders)}), and one more would falsify their times: wait for one of them,"
        f" or end it ({there_are.why})"
    )


def taken(config: LabConfig) -> int:
    """How many places are taken now. Asking takes none, not even for a moment."""
    return sum(_held(place) for place in (config.cache / "slots").glob("*"))


def _held(place: Path) -> bool:
    """Whether the process that wrote its number there still has that file open."""
    try:
        descriptors = Path("/proc", place.read_text(encoding="ascii"), "fd").iterdir()
        return any(place.samefile(descriptor) for descriptor in descriptors)
    except (OSError, UnicodeDecodeError):
        return False  # it has ended, or is somebody else's
