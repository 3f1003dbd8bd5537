"""Conditions of single machines: engine, routing mesh, a command."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from pytest_swarmlab.errors import CommandError, ProviderError
from pytest_swarmlab.waiting.conditions.answers import brief, no_answer
from pytest_swarmlab.waiting.waiter import Done, Fatal, Pending, done, pending

if TYPE_CHECKING:
    from pytest_swarmlab.swarm.cluster import Node

NAMESPACES = "/run/docker/netns"
"""Where an engine keeps its networks' namespaces (moby, libnetwork)."""

INGRESS = f"{NAMESPACES}/ingress_sbox"
"""Network namespace of the routing mesh on every node that is a member of a swarm."""

IPVS = ("nsenter", f"--net={INGRESS}", "cat", "/proc/net/ip_vs")
"""Command that shows over which replicas a node balances."""

REPLICA = re.compile(r"^\s*-> ([0-9A-F]{8}):", re.MULTILINE)
"""A real server in that table: its IPv4 address in hexadecimal."""


class EngineIs:
    """One node's engine answers, or doesn't."""

    def __init__(self, node: Node, *, up: bool) -> None:
        self._node = node
        self._up = up
        self.node = node.name
        self.name = "the engine answers" if up else "the engine is gone"

    def __call__(self) -> Done[None] | Pending | Fatal:
        """Look once."""
        try:
            self._node.engine.ping()
            seen, up = "it answers", True
        except no_answer() as error:
            self._node.forget_connections()
            seen, up = brief(error), False
        return done(None, seen) if up is self._up else pending(seen)


class Succeeds:
    """A command on a node that changes nothing ends with exit code 0; finds what it printed."""

    def __init__(self, node: Node, argv: Sequence[str]) -> None:
        self._node = node
        self._argv = tuple(argv)
        self.node = node.name
        self.name = f"`{shlex.join(self._argv)}` succeeds"

    def __call__(self) -> Done[str] | Pending | Fatal:
        """Look once."""
        try:
            output = self._node.look(*self._argv, check=False)
        except ProviderError as error:
            return pending(str(error))
        said = " ".join((output.stderr.strip() or output.stdout.strip()).split())[-200:]
        if output.code == 0:
            return done(output.stdout, said)
        return pending(f"exit code {output.code}: {said}")


def balanced(table: str) -> list[str]:
    """The replicas' addresses in a table of IPVS, once for each service that has them."""
    return [str(IPv4Address(int(address, 16))) for address in REPLICA.findall(table)]


class MeshLists:
    """The routing mesh of every given node balances over so many replicas, no more and no fewer.

    It follows later than `Converged`: nodes hear of replicas by gossip. When a service was removed
    just before, the next one may get its address while nodes still remove the old one; a node that
    does both at once keeps an incomplete table for a minute or more (seen on the embedded cluster
    as `Failed add IP alias … file exists` in the engine's log).

    The table is IPVS's own, in the namespace where Swarm keeps the mesh of published ports.
    """

    node = None

    def __init__(self, nodes: Sequence[Node], replicas: int) -> None:
        self._nodes = nodes
        self._replicas = replicas
        self.name = f"the routing mesh of every node lists {replicas} replicas"

    def __call__(self) -> Done[None] | Pending | Fatal:
        """Look once."""
        seen: list[str] = []
        for node in self._nodes:
            try:
                count = self._listed(node)
            except (CommandError, ProviderError) as error:
                return pending(str(error))
            seen.append(f"{node.name} {count}")
            # The others need not be asked: to look costs a node more than it may seem.
            if count != self._replicas:
                return pending(", ".join(seen))
        return done(None, ", ".join(seen) or "no mesh here")

    @staticmethod
    def _listed(node: Node) -> int:
        table = node.look(*IPVS, check=False)
        # Before the first service there is no such namespace, whose path the refusal names.
        if table.code and INGRESS not in table.stderr:
            raise CommandError(node.name, IPVS, table.code, table.stdout, table.stderr)
        return len(balanced(table.stdout))
