"""Faults of an engine's, or another program's, process; the machine stays up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pytest_swarmlab.errors import ProviderError
from pytest_swarmlab.evidence import waits
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.faults.fault import Fault
from pytest_swarmlab.swarm.guard import Undoes
from pytest_swarmlab.swarm.node import Node
from pytest_swarmlab.waiting.conditions import EngineIs

UNITS = ("docker.socket", "docker.service")
"""Both, always: a connection to the socket would start a stopped service (lab erratum, 2.2)."""

MENDING = (
    ("systemctl", "unmask", "--runtime", "docker.service"),
    ("systemctl", "reset-failed", *UNITS),
    ("systemctl", "start", *UNITS),
)
"""Brings a killed engine back."""

ENGINE_BACK_S = 90.0
"""Longest an engine may take to answer after a start; about 5 s on an embedded node."""


class UnitsStopped(Fault):
    """`systemctl stop` of units of a node, in order; healing starts them again."""

    kind: ClassVar[str] = "stop-units"

    def __init__(
        self,
        nodes: Sequence[Node],
        recorder: Recorder,
        units: Sequence[str],
        *,
        undoes: Undoes = Undoes.FAULT,
    ) -> None:
        """`undoes`: says when a timer of somebody's own node starts them."""
        super().__init__(nodes, recorder)
        self._units = tuple(units)
        self._undoes = undoes

    def _mending(self) -> Sequence[tuple[Node, Sequence[Sequence[str]]]]:
        return [(node, [("systemctl", "start", *self._units)]) for node in self.nodes]

    def _inject(self) -> None:
        for node in self.nodes:
            node.run("systemctl", "stop", *self._units)

    def _heal(self) -> None:
        for node in self.nodes:
            node.run("systemctl", "start", *self._units)


class EngineStopped(UnitsStopped):
    """`systemctl stop`: the engine stops its containers and exits in order."""

    kind: ClassVar[str] = "stop-engine"

    def __init__(self, nodes: Sequence[Node], recorder: Recorder) -> None:
        super().__init__(nodes, recorder, UNITS)

    def _heal(self) -> None:
        super()._heal()
        for node in self.nodes:
            waits.of_the_suite(self._recorder)(EngineIs(node, up=True), within=ENGINE_BACK_S)


class EngineKilled(Fault):
    """SIGKILL to the engine; systemd is kept from restarting it until the fault is healed.

    Its unit says Restart=always: otherwise the engine would be back after two seconds. Containers
    survive, since their shims are processes of their own.
    """

    kind: ClassVar[str] = "kill-engine"

    def _mending(self) -> Sequence[tuple[Node, Sequence[Sequence[str]]]]:
        return [(node, MENDING) for node in self.nodes]

    def _prepare(self) -> None:
        self._pids = {}
        for node in self.nodes:
            node.run("systemctl", "mask", "--runtime", "docker.service")
            shown = node.look(
                "systemctl", "show", "--property=MainPID", "--value", "docker.service"
            )
            self._pids[node.name] = shown.stdout.strip()
            # A process number of 0 would be the group of the shell that kills.
            if not self._pids[node.name].strip("0"):
                raise ProviderError(f"the engine of {node} can't be killed: it doesn't run")

    def _inject(self) -> None:
        for node in self.nodes:
            node.run("kill", "-9", self._pids[node.name])

    def _heal(self) -> None:
        for node in self.nodes:
            for argv in MENDING:
                node.run(*argv, check="reset-failed" not in argv)
            waits.of_the_suite(self._recorder)(EngineIs(node, up=True), within=ENGINE_BACK_S)
