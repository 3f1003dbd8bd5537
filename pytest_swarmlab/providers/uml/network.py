"""The network of an embedded cluster: which nodes it can hold, and where the client stands in it.

It is a bridge in a network namespace of its own, to which the nodes' taps and nothing else belong:
whatever its addresses are, no packet leaves it, and none comes in.
"""

from __future__ import annotations

import re
from collections import Counter
from ipaddress import AddressValueError, IPv4Address, IPv4Network

from pytest_swarmlab.errors import HostError
from pytest_swarmlab.model import Topology
from pytest_swarmlab.text import line

PREFIX = 24
"""Bits of the network's address, as in the lab's own 192.168.56.0/24."""

NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,38}[A-Za-z0-9])?")
"""Names of machines: files, sockets and an SSH configuration have them. A socket's path has 108
bytes at most, ssh's own name for a new one included."""

TAP = re.compile(r"(?!(tap|lab$|lo$|all$|default$))[A-Za-z][A-Za-z0-9-]{0,14}")
"""Names of nodes that an interface can have: of 15 characters (IFNAMSIZ, less its end), and neither
another interface's here nor the kernel's word for all of them."""


def require_place(topology: Topology) -> None:
    """Raise HostError unless embedded machines can have these names and addresses."""
    for name, times in Counter(node.name for node in topology.nodes).items():
        if not NAME.fullmatch(name):
            raise HostError(
                f"no embedded machine can be called {line(name, 80)!r}: use up to 40 letters,"
                " digits, hyphens and dots"
            )
        if times > 1:
            raise HostError(f"{times} machines are called {name}: give each a name of its own")
    addresses = [node.address for node in topology.nodes]
    if len(set(addresses)) < len(addresses):
        raise HostError(f"two machines have one address: {', '.join(sorted(addresses))}")
    network(topology)


def network(topology: Topology) -> IPv4Network:
    """The network in which all the nodes are. Raises HostError where there is none."""
    try:
        found = {
            IPv4Network((int(IPv4Address(node.address)) >> 8 << 8, PREFIX))
            for node in topology.nodes
        }
    except AddressValueError as error:
        raise HostError(
            f"embedded machines have IPv4 addresses, and one is to have another: {line(error, 80)}"
        ) from error
    if len(found) != 1:
        raise HostError(
            f"embedded machines stand in one network of the size /{PREFIX}, and these are of"
            f" several: {', '.join(sorted(map(str, found))) or 'none'}"
        )
    return found.pop()


def client(topology: Topology) -> str:
    """Where the client stands: the first address that no node has; a Vagrant host's in the lab's.

    With the network's prefix. Raises HostError as `network` does.
    """
    taken = {node.address for node in topology.nodes}
    free = next(host for host in network(topology).hosts() if str(host) not in taken)
    return f"{free}/{PREFIX}"


def tap(name: str, number: int) -> str:
    """The name of a node's tap: the node's own where an interface can have it."""
    return name if TAP.fullmatch(name) else f"tap{number}"
