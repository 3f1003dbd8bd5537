"""Nodes reached with OpenSSH: what every provider has in common whose machines have it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testinfra.host import Host


def host(config: Path, node: str, *, sudo: bool = False) -> Host:
    """The node, a host of that SSH configuration, for testinfra; `sudo`: its user isn't root."""
    import testinfra

    # No control connection of testinfra's own: it would outlive the run.
    return testinfra.get_host(f"ssh://{node}", ssh_config=str(config), controlpersist=0, sudo=sudo)


def command(config: Path, node: str, argv: Sequence[str], *, sudo: bool = False) -> list[str]:
    """What to run here so that `argv` runs on the node, as root when `sudo` may be used."""
    there = ["sudo", "--non-interactive", "--", *argv] if sudo else list(argv)
    return ["ssh", "-F", str(config), node, shlex.join(there)]
