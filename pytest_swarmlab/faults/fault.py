"""The shape of every fault: injected, healed, and timed both ways."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, Self

from pytest_swarmlab.errors import ConfigError
from pytest_swarmlab.evidence.events import FaultHealed, FaultHealing, FaultInjected, FaultInjecting
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.swarm.guard import Guard, Undoes
from pytest_swarmlab.swarm.node import Node


class Fault(ABC):
    """Something broken on named nodes. A context manager: injected on entry, healed on exit.

    Healing is idempotent and also mends a fault that was injected only in part. Raises ConfigError
    when it is given a node's name.
    """

    kind: ClassVar[str]

    def __init__(self, nodes: Sequence[Node], recorder: Recorder) -> None:
        for node in nodes:
            if isinstance(node, str):
                raise ConfigError(f"{node!r} is no node: write swarm.node({node!r})")
        self.nodes = tuple(nodes)
        self._recorder = recorder
        self._broken = False
        self._undoes = Undoes.FAULT
        self._guard = Guard(())

    def _prepare(self) -> None:  # noqa: B027 - most faults need no preparation
        """Prepare what breaks nothing yet: its time does not count as the fault's."""

    def _mending(self) -> Sequence[tuple[Node, Sequence[Sequence[str]]]]:
        """The commands that would heal it without this process, for each node."""
        return ()

    @abstractmethod
    def _inject(self) -> None:
        """Inject the fault; returns when it is in effect."""

    @abstractmethod
    def _heal(self) -> None:
        """Mend it; returns when the nodes can be used again. May be called twice."""

    def inject(self) -> None:
        """Inject it, and record when, and how long that took."""
        self._broken = True
        self._guard = Guard.arm(self._mending(), self.kind, self._undoes)
        self._prepare()
        self._recorder.write(FaultInjecting(self.kind, self._names))
        seconds = _timed(self._inject)
        self._recorder.write(FaultInjected(self.kind, self._names, seconds))

    def heal(self) -> None:
        """Heal it if it is on, and record when, and how long that took.

        On Ctrl-C not where the nodes go: raises KeyboardInterrupt again.
        """
        if self._broken:
            for node in self.nodes:
                node.heed_interrupt()
            self._recorder.write(FaultHealing(self.kind, self._names))
            seconds = _timed(self._heal)
            self._recorder.write(FaultHealed(self.kind, self._names, seconds))
            self._broken = False
            self._guard.disarm()

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(node.name for node in self.nodes)

    def __enter__(self) -> Self:
        self.inject()
        return self

    def __exit__(self, *_: object) -> None:
        self.heal()


def _timed(act: Callable[[], None]) -> float:
    """Do it; how many seconds it took."""
    began = time.monotonic()
    act()
    return round(time.monotonic() - began, 4)
