"""The shape of every fault, and the fixture's way to make them and to be sure that they heal."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import ClassVar, Self

from pytest_swarmlab.cluster import Node, Swarm
from pytest_swarmlab.errors import ProviderError, SwarmlabError
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.model import Capability


class Fault(ABC):
    """Something broken on named nodes. A context manager: injected on entry, healed on exit.

    Healing is idempotent and also mends a fault that was injected only in part.
    """

    kind: ClassVar[str]

    def __init__(self, nodes: Sequence[Node], recorder: Recorder) -> None:
        self.nodes = tuple(nodes)
        self._recorder = recorder
        self._broken = False

    def _prepare(self) -> None:  # noqa: B027 - most faults need no preparation
        """Do what must be done first and breaks nothing yet: it doesn't count as the fault."""

    @abstractmethod
    def _inject(self) -> None:
        """Break it; returns as soon as it is broken."""

    @abstractmethod
    def _heal(self) -> None:
        """Mend it; returns when the nodes can be used again. Must bear being called twice."""

    def inject(self) -> None:
        """Break it and record when, and how long that took."""
        self._broken = True
        self._prepare()
        self._timed("fault.injected", self._inject)

    def heal(self) -> None:
        """Mend it if it is broken, and record when, and how long that took."""
        if self._broken:
            self._timed("fault.healed", self._heal)
            self._broken = False

    def _timed(self, kind: str, act: Callable[[], None]) -> None:
        names = [node.name for node in self.nodes]
        starting = {"fault.injected": "fault.injecting", "fault.healed": "fault.healing"}[kind]
        self._recorder.record(starting, fault=self.kind, nodes=names)
        began = time.monotonic()
        act()
        seconds = round(time.monotonic() - began, 4)
        self._recorder.record(kind, fault=self.kind, nodes=names, seconds=seconds)

    def __enter__(self) -> Self:
        self.inject()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.heal()


class Faults:
    """Makes faults on a swarm's nodes and remembers them, so that all can be healed."""

    def __init__(self, swarm: Swarm) -> None:
        self._swarm = swarm
        self._made: list[Fault] = []

    def stop_engine(self, node: Node) -> Fault:
        """Stop the engine's service and its socket, in order: a graceful stop."""
        from pytest_swarmlab.faults.process import EngineStopped

        return self._remember(EngineStopped([node], self._swarm.recorder))

    def kill_engine(self, node: Node) -> Fault:
        """kill -9 of the engine, which stays away; its containers go on."""
        from pytest_swarmlab.faults.process import EngineKilled

        return self._remember(EngineKilled([node], self._swarm.recorder))

    def power_off(self, node: Node) -> Fault:
        """Cut the machine's power; healing boots it on the same disk."""
        from pytest_swarmlab.faults.node import PowerOff

        return self._remember(PowerOff(node, self._controls(Capability.POWER_OFF)))

    def pause(self, node: Node) -> Fault:
        """Freeze the whole machine; it goes on where it was."""
        from pytest_swarmlab.faults.node import Paused

        return self._remember(Paused(node, self._controls(Capability.PAUSE)))

    def link_down(self, node: Node) -> Fault:
        """Unplug the machine's network cable."""
        from pytest_swarmlab.faults.network import LinkDown

        return self._remember(LinkDown(node, self._controls(Capability.LINK)))

    def partition(self, *sides: Sequence[Node]) -> Fault:
        """Cut the network between groups of nodes, not within one, nor from the client."""
        from pytest_swarmlab.faults.network import Partition

        return self._remember(Partition(sides, self._swarm.recorder))

    def demote(self, node: Node, *, via: Node) -> Fault:
        """Make a manager a worker by asking another manager: the contrast to losing it."""
        from pytest_swarmlab.faults.membership import Demoted

        return self._remember(Demoted(node, via, self._swarm.recorder))

    def heal(self) -> None:
        """Mend all that is still broken, the latest first.

        Every fault is tried; raises ProviderError naming those that could not be healed.
        """
        left = []
        while self._made:
            fault = self._made.pop()
            try:
                fault.heal()
            except (SwarmlabError, OSError) as error:
                left.append(f"{fault.kind} of {', '.join(n.name for n in fault.nodes)}: {error}")
        if left:
            raise ProviderError("could not be healed: " + "; ".join(left))

    def _remember(self, fault: Fault) -> Fault:
        self._made.append(fault)
        return fault

    def _controls(self, capability: Capability) -> Swarm:
        if capability not in self._swarm.machines.controls:
            raise ProviderError(f"{capability} is nothing that these machines' provider can do")
        return self._swarm
