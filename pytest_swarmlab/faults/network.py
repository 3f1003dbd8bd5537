"""Faults of the network between nodes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import ClassVar

from pytest_swarmlab.errors import ConfigError, ProviderError, SwarmlabError
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.faults.fault import Fault
from pytest_swarmlab.faults.node import ACCESS_S, MachineFault
from pytest_swarmlab.swarm.node import Node, firewall
from pytest_swarmlab.waiting.conditions import understood

CHAIN = "SWARMLAB-PARTITION"

OPENING = (
    ("-w", "-D", "INPUT", "-j", CHAIN),
    ("-w", "-D", "OUTPUT", "-j", CHAIN),
    ("-w", "-F", CHAIN),
    ("-w", "-X", CHAIN),
)
"""Removes what exists of the chain."""

STATE = "swarm/docker-state.json"
"""What a member's engine keeps of its start, in its directory (moby, `nodeStartConfig`)."""


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
    own: those of the addresses that they advertise, and of those that their overlay networks use.

    The chain is complete on every node before it is hooked in, and one command empties it: healing
    twice, or after half an injection, leaves nothing behind.
    """

    kind: ClassVar[str] = "partition"

    def __init__(self, sides: Sequence[Sequence[Node]], recorder: Recorder) -> None:
        """`sides`: two or more groups.

        Raises ConfigError if a node is in two groups, or has no address that the others could drop;
        ProviderError where somebody's own node can't tell its addresses.
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
        self._addresses = {node: _in_the_swarm(node) for node in nodes}

    @property
    def _programs(self) -> list[str]:
        """Programs whose rules match these nodes' addresses: those of IPv4, IPv6, or both."""
        return sorted({firewall(each) for every in self._addresses.values() for each in every})

    def _mending(self) -> Sequence[tuple[Node, Sequence[Sequence[str]]]]:
        commands = [(program, *words) for program in self._programs for words in OPENING]
        return [(node, commands) for node in self.nodes]

    def _inject(self) -> None:
        self._heal()
        for side in self._sides:
            for node in side:
                for program in self._programs:
                    node.run(program, "-w", "-N", CHAIN)
                others = [other for other in self.nodes if other not in side]
                for address in (each for other in others for each in self._addresses[other]):
                    for direction in ("-s", "-d"):
                        rule = (CHAIN, direction, address, "-j", "DROP")
                        node.run(firewall(address), "-w", "-A", *rule)
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


def _in_the_swarm(node: Node) -> Sequence[str]:
    """The address that a node advertises, and the one that its overlay networks use.

    No API tells the latter (`docker swarm init --data-path-addr`). On the lab's own machines both
    are one.
    """
    if not node.foreign:
        return (node.address,)
    root = node.engine.info().get("DockerRootDir") or "/var/lib/docker"
    kept = node.look("cat", "--", f"{root}/{STATE}", check=False)
    if kept.code or not kept.stdout.strip():  # It is no member.
        return (node.address,)
    with understood(f"{STATE} of {node}"):
        data = json.loads(kept.stdout).get("DataPathAddr") or node.address
    return tuple(dict.fromkeys((node.address, data)))


def _open(node: Node, program: str) -> None:
    # Absent rules are what is wanted: only the outcome is looked at, below.
    for words in OPENING:
        node.run(program, *words, check=False)
    if CHAIN in node.look(program, "-w", "-S").stdout:
        node.run(program, "-w", "-X", CHAIN)
