"""The faults: what can be broken on purpose, and healed again."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from pytest_swarmlab.errors import ProviderError, SwarmlabError
from pytest_swarmlab.faults.disk import DiskFull
from pytest_swarmlab.faults.fault import Fault
from pytest_swarmlab.faults.membership import Demoted
from pytest_swarmlab.faults.network import LinkDown, Partition
from pytest_swarmlab.faults.node import Destroyed, Paused, PowerOff
from pytest_swarmlab.faults.process import EngineKilled, EngineStopped, UnitsStopped
from pytest_swarmlab.model import Capability
from pytest_swarmlab.parallel import each_tried
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.guard import Undoes

__all__ = ["Fault", "Faults"]


class Faults:
    """Injects faults on a swarm's nodes and remembers them, so that all can be healed."""

    def __init__(self, swarm: Swarm) -> None:
        self._swarm = swarm
        self._made: list[Fault] = []

    def stop_engine(self, node: Node) -> Fault:
        """Stop the engine's service and its socket, in order: a graceful stop."""
        return self._remember(EngineStopped([node], self._swarm.recorder))

    def stop_units(self, node: Node, *units: str, undoes: Undoes = Undoes.FAULT) -> Fault:
        """Stop systemd units of a node: another server than the engine.

        `undoes`: says when a timer on somebody's own node starts them if the run does not; after
        ten minutes by default.
        """
        return self._remember(UnitsStopped([node], self._swarm.recorder, units, undoes=undoes))

    def kill_engine(self, node: Node) -> Fault:
        """kill -9 of the engine, which stays down until healed; its containers run on."""
        return self._remember(EngineKilled([node], self._swarm.recorder))

    def power_off(self, node: Node) -> Fault:
        """Cut the machine's power; healing boots it on the same disk."""
        return self._remember(PowerOff(node, self._controls(Capability.POWER_OFF)))

    def destroy(self, *nodes: Node) -> Fault:
        """Lose machines with their disks; healing puts new ones at their addresses."""
        return self._remember(Destroyed(nodes, self._controls(Capability.REPLACE)))

    def pause(self, node: Node) -> Fault:
        """Freeze the whole machine; healed, it continues where it was."""
        return self._remember(Paused(node, self._controls(Capability.PAUSE)))

    def link_down(self, node: Node) -> Fault:
        """Unplug the machine's network cable."""
        return self._remember(LinkDown(node, self._controls(Capability.LINK)))

    def partition(self, *sides: Sequence[Node]) -> Fault:
        """Cut the network between groups of nodes; within a group, and to the client, it stays."""
        return self._remember(Partition(sides, self._swarm.recorder))

    def fill_disk(self, node: Node, directory: str) -> Fault:
        """Take every block of the file system that is mounted at that directory; no other's."""
        return self._remember(DiskFull(node, directory, self._swarm.recorder))

    def demote(self, node: Node, *, via: Node) -> Fault:
        """Make a manager a worker by asking another manager: the contrast to losing it."""
        return self._remember(
            Demoted(node, via, self._swarm.recorder, known_as=self._swarm.known_as(node))
        )

    def heal(self) -> None:
        """Heal all faults that are still on, the latest first.

        Every fault is tried; raises ProviderError naming those that could not be healed.
        """
        left: list[str] = []

        def heal(fault: Fault) -> None:
            try:
                fault.heal()
            except (SwarmlabError, OSError) as error:
                left.append(f"{fault.kind} of {', '.join(n.name for n in fault.nodes)}: {error}")

        # The latest first.
        each_tried([partial(heal, fault) for fault in reversed(self._made)])
        self._made.clear()
        if left:
            raise ProviderError("could not be healed: " + "; ".join(left))

    def _remember(self, fault: Fault) -> Fault:
        self._made.append(fault)
        return fault

    def _controls(self, capability: Capability) -> Swarm:
        if capability not in self._swarm.machines.controls:
            raise ProviderError(f"the provider of these machines can't do this: {capability}")
        return self._swarm
