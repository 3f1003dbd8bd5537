"""The protocol of providers: what the rest of the plugin may ask of machines, whatever they are.

A provider turns a topology into running machines with SSH and a Docker engine; it knows nothing of
swarms, faults or exercises.
"""

from __future__ import annotations

import socket
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
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
"""Controls of machines that a run creates."""

Timers = Mapping[str, dict[str, tuple[str, ...]]]
"""Node → systemd unit of a timer that a run has set there → the command that sets it."""

NO_TIMERS: Timers = MappingProxyType({})
"""Timers on such machines: they go with the run, and so does every change."""


class Machines(Protocol):
    """Running machines of one topology. Every name is a node's name in that topology.

    Methods that control a machine are idempotent. They raise ProviderError when the machine can't
    be controlled, or when `controls` does not list that control.
    """

    @property
    def id(self) -> str:
        """The label by which these machines are found again, also from another process."""

    @property
    def topology(self) -> Topology:
        """The topology of the nodes."""

    @property
    def foreign(self) -> bool:
        """Whether the machines are somebody else's: then each change is announced and undone."""

    @property
    def timers(self) -> Timers:
        """The timers by which somebody else's machines undo the run's changes if it dies."""

    @property
    def kernel(self) -> str:
        """The kernel that they boot, for people; "" if the provider does not choose one."""

    @property
    def controls(self) -> frozenset[Capability]:
        """What can be done to the machines from outside: power, pause, link, replacement.

        CHANGE: a run may change things on them; on machines that it started it always may.
        EXPENDABLE: a damaged system on them is nobody's loss.
        """

    def host(self, node: str) -> Host:
        """The node as a testinfra host whose commands run as root."""

    def command(self, node: str, argv: Sequence[str]) -> list[str]:
        """The command to run here so that `argv` runs there as root.

        Standard input, both output streams and the exit code are passed through.
        """

    def reach(self, node: str) -> str:
        """The command that gives a person a shell on the node."""

    def engine_socket(self, node: str) -> Path:
        """Unix socket on this machine that leads to the node's Docker engine."""

    def dial(self, node: str, port: int, timeout: float) -> socket.socket:
        """A new TCP connection to the node from the client's place in the lab network.

        `timeout`: seconds, also left set on the socket. Raises OSError as connect(2) does.
        """

    def await_access(self, node: str, timeout: float) -> None:
        """Return when the node's engine answers over SSH; ProviderError after `timeout` seconds."""

    def power_off(self, node: str) -> None:
        """Cut the machine's power: no shutdown, unwritten memory is lost.

        `timers` that it loses with that are set again when it is back, also if this process dies.
        """

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

    def go_whole(self) -> bool:
        """Whether the machines can be removed as they are, with nothing undone on them before.

        Asked at a run's end. A machine with a kernel of its own ends with all that runs on it.
        Containers share their host's kernel, which waits for an NFS server that has gone.
        """

    def stop(self) -> None:
        """Remove the machines and everything of theirs on this host. Idempotent."""


@dataclass(frozen=True)
class Found:
    """Machines that are on this host and were not started by this process.

    `kept`: whether a run has left them on purpose. `owner_alive`: whether the run that uses them
    still runs. `started_at`: ISO 8601, UTC.
    """

    id: str
    kept: bool
    owner_alive: bool
    topology: Topology
    started_at: str


def one_kept(wanted: str, kept: Collection[str]) -> str:
    """The kept cluster that is meant: the one of that id, or the only one.

    Raises ProviderError if it is not there, or if there is not exactly one.
    """
    there = ", ".join(kept) or "none"
    if wanted and wanted not in kept:
        raise ProviderError(f"no kept cluster {wanted}: there are {there}")
    if not kept:
        raise ProviderError("no cluster is kept on this host: run once with --swarmlab-keep")
    if not wanted and len(kept) != 1:
        raise ProviderError(
            f"{len(kept)} clusters are kept on this host ({there}): name one with --swarmlab-reuse"
        )
    return wanted or next(iter(kept))


class Provider(Protocol):
    """A way to have machines."""

    name: str
    """What `--swarmlab-provider` calls it."""

    owns: bool
    """Whether its machines are its own: started for a run and removed after it."""

    def images(self) -> list[dict[str, Any]]:
        """The container images its machines carry: reference, origin, detail."""

    def start(self, topology: Topology, *, recorder: Recorder, consoles: Path) -> Machines:
        """Start the machines; `await_access` then waits until one answers.

        `consoles`: a directory for one console log per node, written as it happens. Raises
        HostError before anything is created when this host can't carry them, ProviderError (with
        everything removed again) when a machine does not come up.
        """

    def attach(self, cluster: str, *, logs: Path) -> Machines:
        """Take over existing machines. Raises ProviderError when there are none.

        `cluster`: their id, or "" for the only ones. `logs`: a directory for logs of the
        connections.
        """

    def find(self) -> list[Found]:
        """Machines of this provider on this host: kept, in use, or left over."""

    def reap(self) -> list[str]:
        """Remove machines whose owner is gone and that were not kept; returns their ids."""
