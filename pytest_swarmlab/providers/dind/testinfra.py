"""testinfra on a node: its Docker backend, told which engine the node is on."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from testinfra.backend.base import BaseBackend, CommandResult

if TYPE_CHECKING:
    from pytest_swarmlab.providers.dind.machines import DindMachines

OF_THE_ENGINE = ("Error response from daemon", "Cannot connect to the Docker daemon")
"""Prefixes of `docker exec`'s own errors, whose exit code 1 many commands share."""


class ExecBackend(BaseBackend):  # type: ignore[misc]  # testinfra has no types
    """Runs what testinfra asks for with ``docker exec``.

    Raises RuntimeError, as the SSH backend does, when the node could not be reached.
    """

    NAME = "docker"

    def __init__(self, machines: DindMachines, node: str) -> None:
        super().__init__(node)
        self._machines = machines
        self._node = node

    def run(self, command: str, *args: str, **_: Any) -> CommandResult:
        """Run a shell command on the node as root."""
        cmd = self.get_command(command, *args)
        argv = self._machines.command(self._node, ["/bin/sh", "-c", cmd])
        out = self.run_local(shlex.join(argv))
        out.command = self.encode(cmd)
        said = out.stderr_bytes.decode(errors="replace")
        if out.rc and said.startswith(OF_THE_ENGINE):
            # A docker command on the node would say the same: only the engine knows.
            state = self._machines.state(self._node)
            if not state["Running"] or state["Paused"]:
                raise RuntimeError(said.strip())
        return out
