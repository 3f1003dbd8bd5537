"""Changes of a node's role: no failure, but the contrast to one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.faults.fault import Fault
from pytest_swarmlab.swarm.node import Node


class Demoted(Fault):
    """`docker node demote`, asked of another manager; healing promotes the node again."""

    kind: ClassVar[str] = "demote"

    def __init__(self, node: Node, via: Node, recorder: Recorder, *, known_as: str) -> None:
        """`known_as`: what the managers' client calls the node."""
        super().__init__([node], recorder)
        self._known_as = known_as
        self._via = via

    def _mending(self) -> Sequence[tuple[Node, Sequence[Sequence[str]]]]:
        return [(self._via, [("docker", "node", "promote", self._known_as)])]

    def _inject(self) -> None:
        self._via.run("docker", "node", "demote", self._known_as)

    def _heal(self) -> None:
        self._via.run("docker", "node", "promote", self._known_as)
