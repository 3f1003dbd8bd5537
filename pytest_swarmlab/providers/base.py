"""What the rest of the plugin may ask of machines, whatever they are made of.

A provider turns a topology into running machines with SSH and a Docker engine;
it knows nothing of swarms, faults or exercises.
"""

from __future__ import annotations

import socket
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pytest_swarmlab.errors import ProviderError
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.model import Capability, Topology

if TYPE_CHECKING:
    from testinfra.host import Host


EVERYTHING = frozenset(
    {
        Capability.POWER_OFF,
        Capability.PAUSE,
        Capability.LINK,
        Capability.REPLACE,
        Capability.CHANGE,
        Capability.EXPENDABLE,
    }
)
"""What can be done from outside to machines that a run makes for itself."""


class Machines(Protocol):
    """Running machines of one topology. Every name is a node's name in that topology.

    Methods that control a machine are idempotent and raise ProviderError when
    the machine can't be controlled; those that `controls` doesn't list raise it too.
    """

    @property
    def id(self) -> str:
        """Label that finds these machines again, also from another process."""

    @property
    def topology(self) -> Topology:
        """What was asked for."""

    @property
    def foreign(self) -> bool:
        """Whether they are somebody's own, so that each change is announced and undone."""

    @property
    def own_kernels(self) -> bool:
        """Whether stopping them ends every process and every mount on them.

        Containers have none: their mounts are of their host's kernel, which goes on.
        """

    @property
    def kernel(self) -> str:
        """Whose kernel they boot and how, for people; "" where nobody here chose one."""

    @property
    def controls(self) -> frozenset[Capability]:
        """What can be done to the machines from outside: power, pause, link, replacement.

        Among them CHANGE: whether a run may change anything; machines of its own it may. And
        EXPENDABLE: whether whatever becomes of their systems is nobody's loss.
        """

    def host(self, node: str) -> Host:
        """The node as a testinfra host whose commands run as root."""

    def command(self, node: str, argv: Sequence[str]) -> list[str]:
        """What to run here so that `argv` runs there as root.

        Standard input and both streams are passed through, and the exit code with them.
        """

    def reach(self, node: str) -> str:
        """What a person types to get a shell on the node."""

    def engine_socket(self, node: str) -> Path:
        """Unix socket on this machine that leads to the node's Docker engine."""

    def dial(self, node: str, port: int, timeout: float) -> socket.socket:
        """A new TCP connection to the node from the client's place in the lab network.

        `timeout`: seconds, also left set on the socket. Raises OSError as connect(2) does.
        """

    def await_access(self, node: str, timeout: float) -> None:
        """Return when the node's engine answers over SSH; ProviderError after `timeout` seconds."""

    def power_off(self, node: str) -> None:
        """Cut the machine's power: no shutdown, unwritten memory is lost."""

    def power_on(self, node: str) -> None:
        """Start a machine again on the disk it had."""

    def replace(self, node: str) -> None:
        """Throw the machine away, disk and all, and start a new one with its name and address."""

    def pause(self, node: str) -> None:
        """Freeze the whole machine."""

    def resume(self, node: str) -> None:
        """Let a frozen machine go on."""

    def link_down(self, node: str) -> None:
        """Unplug the machine's network cable."""

    def link_up(self, node: str) -> None:
        """Plug it in again."""

    def keep(self) -> None:
        """Leave the machines running when this process ends."""

    def stop(self) -> None:
        """Remove the machines and all they left on this host. Idempotent."""


@dataclass(frozen=True)
class Found:
    """Machines met on this host that no call of this process started."""

    id: str
    kept: bool
    owner_alive: bool
    topology: Topology
    started_at: str


def one_kept(wanted: str, kept: Collection[str]) -> str:
    """Which of the clusters that were kept is meant: the one of that id, or the only one.

    Raises ProviderError where it is not there, or where there is not just one.
    """
    there = ", ".join(kept) or "none"
    if wanted and wanted not in kept:
        raise ProviderError(f"no kept cluster {wanted}: there are {there}")
    if not wanted and len(kept) != 1:
        raise ProviderError(
            f"{len(kept)} kept clusters on this host ({there}):"
            " run once with --swarmlab-keep, or name one"
        )
    return wanted or next(iter(kept))


class Provider(Protocol):
    """A way to have machines."""

    name: str

    owns: bool
    """Whether its machines are its own: started for a run and removed after it."""

    def images(self) -> list[dict[str, Any]]:
        """The container images its machines carry: reference, origin, detail."""

    def start(self, topology: Topology, *, recorder: Recorder, consoles: Path) -> Machines:
        """Bring the machines up to where they can be reached.

        `consoles`: a directory for one console log per node, written as it happens.
        Raises HostError before anything is created when this host can't carry them,
        ProviderError (with everything removed again) when a machine does not come up.
        """

    def attach(self, cluster: str, *, logs: Path) -> Machines:
        """Take over machines that are there already. Raises ProviderError when there are none.

        `cluster`: their id, or "" for the only ones there are. `logs`: a directory for what
        the way to them has to say.
        """

    def find(self) -> list[Found]:
        """Machines of this provider on this host: kept, in use, or left over."""

    def reap(self) -> list[str]:
        """Remove what runs without an owner and was not kept; returns their ids."""
