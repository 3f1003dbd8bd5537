"""Machines that SSH leads to, and whose owner controls them: of an inventory, of a Vagrantfile."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from pytest_swarmlab.errors import ProviderError
from pytest_swarmlab.model import Capability
from pytest_swarmlab.providers.ssh import SshLinks

if TYPE_CHECKING:
    from testinfra.host import Host


class ReachedMachines:
    """The way to such machines; from outside at most their power is controlled."""

    kernel = ""
    _links: SshLinks

    def host(self, node: str) -> Host:
        """The node over SSH, as root."""
        return self._links.host(node)

    def command(self, node: str, argv: Sequence[str]) -> list[str]:
        """An ssh command over the node's connection, as root."""
        return self._links.command(node, argv)

    def engine_socket(self, node: str) -> Path:
        """A socket here that leads through SSH to the node's engine."""
        return self._links.engine_socket(node)

    def dial(self, node: str, port: int, timeout: float) -> socket.socket:
        """From this machine, or from the node itself where it is only reached by a jump."""
        return self._links.dial(node, port, timeout)

    def replace(self, node: str) -> None:
        """Not offered: the machine may be somebody's own."""
        refuse(node, Capability.REPLACE)

    def pause(self, node: str) -> None:
        """Not offered."""
        refuse(node, Capability.PAUSE)

    def resume(self, node: str) -> None:
        """Not offered."""
        refuse(node, Capability.PAUSE)

    def link_down(self, node: str) -> None:
        """Not offered."""
        refuse(node, Capability.LINK)

    def link_up(self, node: str) -> None:
        """Not offered."""
        refuse(node, Capability.LINK)


def refuse(node: str, capability: Capability) -> NoReturn:
    """Raise ProviderError: nobody here can do that to the machine."""
    raise ProviderError(f"{node}: {capability.lack}")
