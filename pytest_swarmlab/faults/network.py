"""Faults of the network between nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pytest_swarmlab.errors import ConfigError, ProviderError, SwarmlabError
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.faults.fault import Fault
from pytest_swarmlab.faults.node import ACCESS_S, MachineFault
from pytest_swarmlab.swarm.node import Node

CHAIN = "SWARMLAB-PARTITION"

OPENING = (
    ("-w", "-D", "INPUT", "-j", CHAIN),
    ("-w", "-D", "OUTPUT", "-j", CHAIN),
    ("-w", "-F", CHAIN),
    ("-w", "-X", CHAIN),
)
"""Removes what exists of the chain."""


class LinkDown(MachineFault):
    """The machine's cable is unplugged: no packet comes in or goes out."""

    kind: ClassVar[str] = "link-down"

    def _inject(self) -> None:
        self._machines.link_down(self._node.name)

    def _heal(self) -> None:
        self._machines.link_up(self._node.name)
        self._node.await_access(ACCESS_S)


class Partition(Fault):
    """Groups of nodes drop each other's packets, in both directions, by an iptables chain of our
    own.

    The chain is complete on every node before it is hooked in, and one command empties it: healing
    twice, or after half an injection, leaves nothing behind.
    """

    kind: ClassVar[str] = "partition"

    def __init__(self, sides: Sequence[Sequence[Node]], recorder: Recorder) -> None:
        """`sides`: two or more groups.

        Raises ConfigError if a node is in two groups, or has no address that the others could drop.
        """
        nodes = [node for side in sides for node in side]
        if len(sides) < 2 or len(set(nodes)) != len(nodes) or not all(sides):
            raise ConfigError(
                "a partition needs two or more groups of nodes, and no node in two of them"
            )
        for node in nodes:
            # As SSH through a port of the testing machine has it.
            if node.address == "localhost" or node.address.startswith(("127.", "::1")):
                raise ConfigError(
                    f"{node} can't be partitioned: it is not in the swarm, and its only known"
                    f" address is {node.address}, which every machine has"
                )
        super().__init__(nodes, recorder)
        self._sides = [list(side) for side in sides]

    @property
    def _programs(self) -> list[str]:
        """Programs whose rules match these nodes' addresses: those of IPv4, IPv6, or both."""
        return sorted({node.firewall for node in self.nodes})

    def _mending(self) -> Sequence[tuple[Node, Sequence[Sequence[str]]]]:
        commands = [(program, *words) for program in self._programs for words in OPENING]
        return [(node, commands) for node in self.nodes]

    def _inject(self) -> None:
        self._heal()
        for side in self._sides:
            for node in side:
                for program in self._programs:
                    node.run(program, "-w", "-N", CHAIN)
                for other in self.nodes:
                    if other not in side:
                        for direction in ("-s", "-d"):
                            rule = (CHAIN, direction, other.address, "-j", "DROP")
                            node.run(other.firewall, "-w", "-A", *rule)
        for node in self.nodes:
            for program in self._programs:
                for hook in ("INPUT", "OUTPUT"):
                    node.run(program, "-w", "-I", hook, "-j", CHAIN)

    def _heal(self) -> None:
        left = []
        for node in self.nodes:
            try:
                for program in self._programs:
                    _open(node, program)
            except SwarmlabError as error:  # one node out of reach must not leave the others cut
                left.append(str(error))
        if left:
            raise ProviderError("; ".join(left))


def _open(node: Node, program: str) -> None:
    # Absent rules are what is wanted: only the outcome is looked at, below.
    for words in OPENING:
        node.run(program, *words, check=False)
    if CHAIN in node.look(program, "-w", "-S").stdout:
        node.run(program, "-w", "-X", CHAIN)
