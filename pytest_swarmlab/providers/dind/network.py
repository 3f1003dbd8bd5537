"""The bridge network of one cluster, and connections into it from this host."""

from __future__ import annotations

import ipaddress
import os
import socket
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError
from docker.types import IPAMConfig, IPAMPool

from pytest_swarmlab.errors import HostError, ProviderError
from pytest_swarmlab.model import Topology

TRIES = 5
"""Attempts to find another subnet when one has just been taken."""


@dataclass(frozen=True)
class Network:
    """A cluster's network in the engine."""

    id: str
    subnet: ipaddress.IPv4Network

    @property
    def bridge(self) -> str:
        """Its network interface on this host."""
        return f"br-{self.id[:12]}"


def choose_subnet(api: docker.APIClient, name: str, labels: dict[str, str]) -> str:
    """A subnet of the engine's own pools, free of this host's networks.

    Only the engine knows which that is, and only a network with a subnet that was asked for
    lets its containers have addresses that were asked for: so one is made and removed.
    """
    made = api.create_network(name, driver="bridge", internal=True, labels=labels)
    try:
        return str(_subnet(api, made["Id"]))
    finally:
        api.remove_network(made["Id"])


def create(api: docker.APIClient, name: str, subnet: str, labels: dict[str, str]) -> Network:
    """Make the network; it has no way out. Raises docker's APIError when the subnet is taken."""
    made = api.create_network(
        name,
        driver="bridge",
        internal=True,
        labels=labels,
        ipam=IPAMConfig(pool_configs=[IPAMPool(subnet=subnet)]),
    )
    return Network(made["Id"], ipaddress.IPv4Network(subnet))


def find(api: docker.APIClient, label: str) -> Network | None:
    """The network with that label, if there is one."""
    for seen in api.networks(filters={"label": label}):
        return Network(seen["Id"], _subnet(api, seen["Id"]))
    return None


def place(topology: Topology, subnet: str) -> Topology:
    """The topology in that subnet: host parts as in the lab (.10, .20 … and .11, .12 …)."""
    base = ipaddress.IPv4Network(subnet).network_address
    return replace(
        topology,
        nodes=tuple(
            replace(node, address=str(base + (int(ipaddress.IPv4Address(node.address)) & 0xFF)))
            for node in topology.nodes
        ),
    )


def require_bridge(network: Network) -> None:
    """Raise HostError when the engine's networks aren't networks of this host."""
    if not Path("/sys/class/net", network.bridge).exists():
        raise HostError(
            f"the engine's network {network.bridge} is not on this machine, so its nodes can't be"
            " reached: the engine is in a virtual machine or a namespace of its own;"
            " use --swarmlab-provider uml"
        )


def dial(network: Network, address: str, port: int, timeout: float, node: str) -> socket.socket:
    """A TCP connection through the cluster's own bridge: no other way may lead there."""
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        connection.setsockopt(
            socket.SOL_SOCKET, socket.SO_BINDTODEVICE, network.bridge.encode("ascii")
        )
        connection.settimeout(timeout)
        connection.connect((address, port))
    except OSError as error:
        connection.close()
        if error.errno is None:
            raise TimeoutError(f"{node}:{port}: no answer within {timeout:g} s") from error
        # OSError picks the subclass (ConnectionRefusedError …) from the number.
        raise OSError(error.errno, f"{node}:{port}: {os.strerror(error.errno)}") from error
    return connection


def _subnet(api: docker.APIClient, network: str) -> ipaddress.IPv4Network:
    inspected: dict[str, Any] = api.inspect_network(network)
    for pool in inspected["IPAM"]["Config"] or ():
        subnet = ipaddress.ip_network(pool["Subnet"])
        if isinstance(subnet, ipaddress.IPv4Network):
            return subnet
    raise ProviderError(f"the engine gave the network {network[:12]} no IPv4 subnet")


def taken(error: APIError) -> bool:
    """Whether the engine refused a subnet because it overlaps another network's."""
    return "overlap" in str(error.explanation or error).lower()
