"""Faults of a whole machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pytest_swarmlab.faults.fault import Fault
from pytest_swarmlab.swarm.cluster import Node, Swarm

ACCESS_S = 180.0
"""Longest a machine may take to answer again after it got power."""


class MachineFault(Fault):
    """A fault that the provider makes on one machine."""

    def __init__(self, node: Node, swarm: Swarm) -> None:
        super().__init__([node], swarm.recorder)
        self._node = node
        self._machines = swarm.machines


class PowerOff(MachineFault):
    """The machine loses power, and boots again when healed."""

    kind: ClassVar[str] = "power-off"

    def _inject(self) -> None:
        self._node.power_off()

    def _heal(self) -> None:
        self._node.power_on()
        self._node.await_access(ACCESS_S)


class Destroyed(Fault):
    """The machines are gone for good; healed, new ones stand at their names and addresses."""

    kind: ClassVar[str] = "destroy"

    def __init__(self, nodes: Sequence[Node], swarm: Swarm) -> None:
        super().__init__(nodes, swarm.recorder)
        self._machines = swarm.machines

    def _inject(self) -> None:
        for node in self.nodes:
            self._machines.power_off(node.name)

    def _heal(self) -> None:
        # All boot at once.
        for node in self.nodes:
            self._machines.replace(node.name)
        for node in self.nodes:
            node.await_access(ACCESS_S)


class Paused(MachineFault):
    """The machine stands still, its memory kept."""

    kind: ClassVar[str] = "pause"

    def _inject(self) -> None:
        self._machines.pause(self._node.name)

    def _heal(self) -> None:
        self._machines.resume(self._node.name)
        self._node.await_access(ACCESS_S)
