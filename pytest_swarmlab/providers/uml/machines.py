"""One running cluster of User-mode Linux nodes."""

from __future__ import annotations

import contextlib
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_swarmlab.errors import NotConverged, ProviderError
from pytest_swarmlab.model import Topology
from pytest_swarmlab.providers import console, ssh
from pytest_swarmlab.providers.base import EVERYTHING, NO_TIMERS
from pytest_swarmlab.providers.uml.gate import Gate
from pytest_swarmlab.providers.uml.state import State
from pytest_swarmlab.waiting.waiter import Done, Fatal, Pending, Waiter, done, fatal, pending

if TYPE_CHECKING:
    from testinfra.host import Host

KEEPER_S = 30.0
"""Longest the keeper may take to build the lab network, seconds; it takes under one."""

POLL_S = 0.2
"""Seconds between two tries of a booting node."""

SSH_LINES = 3
"""Lines of ssh's messages that an error quotes."""


class UmlMachines:
    """One running cluster, as its owner sees it through the keeper's gate."""

    foreign = False
    controls = EVERYTHING
    timers = NO_TIMERS

    def __init__(
        self,
        state: State,
        topology: Topology,
        *,
        kernel: str,
        consoles: Path,
        process: subprocess.Popen[str] | None,
    ) -> None:
        self._state = state
        self._topology = topology
        self._kernel = kernel
        self._consoles = consoles
        self._process = process
        self._gate = Gate(state.gate)

    @property
    def id(self) -> str:
        """Name of the cluster's state directory."""
        return self._state.path.name

    @property
    def topology(self) -> Topology:
        """The topology of the nodes."""
        return self._topology

    @property
    def kernel(self) -> str:
        """Which of the two it is, its source, and how the nodes' programs run."""
        return self._kernel

    def host(self, node: str) -> Host:
        """The node through the keeper's SSH connection."""
        return ssh.host(self._state.ssh_config, node)

    def command(self, node: str, argv: Sequence[str]) -> list[str]:
        """An ssh command over the keeper's connection."""
        return ssh.command(self._state.ssh_config, node, argv)

    def reach(self, node: str) -> str:
        """The command for a person."""
        return f"ssh -F {self._state.ssh_config} {node}"

    def engine_socket(self, node: str) -> Path:
        """The node's /run/docker.sock, forwarded by its SSH connection."""
        return self._state.path / f"{node}.engine"

    def dial(self, node: str, port: int, timeout: float) -> socket.socket:
        """A TCP connection to the node that begins inside the cluster's namespace."""
        return self._gate.dial(node, port, timeout)

    def await_access(self, node: str, timeout: float) -> None:
        """Return when the node's engine answers through SSH; ProviderError with its last words."""
        try:
            Waiter(every=POLL_S)(EngineAnswers(self, node), within=timeout)
        except NotConverged as error:
            raise ProviderError(f"{error}. {self._last_words(node)}") from error

    def running(self, node: str) -> bool:
        """Whether the machine's kernel is alive."""
        return bool(self._gate.ask("status")["running"][node])

    def _last_words(self, node: str) -> str:
        path = self._consoles / f"{node}.log"
        said = f"Its console: {console.cause(console.read(path))!r} (all of it: {path})"
        # Each once: what ssh says at every further try hides what it said at first.
        distinct = list(dict.fromkeys(console.read(self._consoles / f"{node}.ssh.log")))
        if distinct and self.running(node):
            return f"ssh said: {' | '.join(distinct[-SSH_LINES:])}. {said}"
        return said

    def power_off(self, node: str) -> None:
        """SIGKILL to all of the machine's processes at once."""
        self._gate.ask("power-off", node=node)

    def power_on(self, node: str) -> None:
        """Boot on the same copy-on-write disk."""
        self._gate.ask("power-on", node=node)

    def replace(self, node: str) -> None:
        """Boot on a copy-on-write disk that is new; the seed gives name and address again."""
        self._gate.ask("replace", node=node)

    def pause(self, node: str) -> None:
        """SIGSTOP to the machine's kernel."""
        self._gate.ask("pause", node=node)

    def resume(self, node: str) -> None:
        """SIGCONT to the machine's kernel."""
        self._gate.ask("resume", node=node)

    def link_down(self, node: str) -> None:
        """Take the machine's tap out of the bridge."""
        self._gate.ask("link-down", node=node)

    def link_up(self, node: str) -> None:
        """Put the machine's tap into the bridge again."""
        self._gate.ask("link-up", node=node)

    def keep(self) -> None:
        """Tell the keeper to outlive its owner, and let go of it."""
        self._gate.ask("keep")
        if self._process:
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe:
                    pipe.close()
            # It is on its own now: nobody here is to wait for it, nor to complain that it runs.
            self._process.returncode = 0
            self._process = None

    def go_whole(self) -> bool:
        """Always: their kernels end with them."""
        return True

    def stop(self) -> None:
        """End the keeper and with it everything; sweep up if it was killed before it could."""
        with contextlib.suppress(ProviderError):
            self._gate.ask("end")
        if self._process:
            if self._process.stdin:
                self._process.stdin.close()
            try:
                self._process.wait(KEEPER_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            if self._process.stdout:
                self._process.stdout.close()
        else:
            Waiter(every=POLL_S)(KeeperGone(self._state), within=KEEPER_S)
        self._state.remove()


class EngineAnswers:
    """A machine's engine answers a ping, through SSH."""

    name = "the engine answers through SSH"

    def __init__(self, machines: UmlMachines, node: str) -> None:
        self._machines = machines
        self.node = node

    def __call__(self) -> Done[str] | Pending | Fatal:
        """Look once."""
        if not self._machines.running(self.node):
            return fatal("its kernel ended")
        try:
            return done(ssh.ping(self._machines.engine_socket(self.node)))
        except OSError as error:
            return pending(str(error) or type(error).__name__)


class KeeperGone:
    """The lock of the cluster is free: its keeper and its nodes have ended."""

    name = "the cluster's keeper is gone"
    node = None

    def __init__(self, state: State) -> None:
        self._state = state

    def __call__(self) -> Done[None] | Pending | Fatal:
        """Look once."""
        return pending("it still runs") if self._state.alive() else done(None)
