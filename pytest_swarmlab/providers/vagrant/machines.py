"""Running machines of a Vagrantfile."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from pytest_swarmlab.errors import ProviderError
from pytest_swarmlab.model import Capability, Topology
from pytest_swarmlab.providers.base import NO_TIMERS
from pytest_swarmlab.providers.reached import ReachedMachines
from pytest_swarmlab.providers.restoring import last_line
from pytest_swarmlab.providers.ssh import Access, SshLinks
from pytest_swarmlab.providers.vagrant import keeper
from pytest_swarmlab.providers.vagrant.command import Vagrant
from pytest_swarmlab.providers.vagrant.ledger import IN_SWARM, RunState, restore

OFF_BLOCK = """\
Host {node}
  ProxyCommand sh -c 'echo "it does not run: vagrant up {node}" >&2; exit 1'
"""
"""Configuration of an unreachable machine, so that ssh does not look for its name elsewhere."""

KEEPER_S = keeper.RESTORE_S + 60
"""Longest the keeper may take to put the machines in order, seconds."""


class VagrantMachines(ReachedMachines):
    """Running machines of a Vagrantfile."""

    foreign = False
    timers = NO_TIMERS
    controls = frozenset({Capability.POWER_OFF, Capability.CHANGE, Capability.EXPENDABLE})

    def __init__(
        self,
        state: RunState,
        topology: Topology,
        vagrant: Vagrant,
        *,
        consoles: Path,
        process: subprocess.Popen[bytes] | None,
    ) -> None:
        """`process`: the keeper; None when the machines were kept."""
        self._state = state
        self._topology = topology
        self._vagrant = vagrant
        self._process = process
        self._log = consoles / "vagrant.log"
        self._blocks: dict[str, str] = {}
        # Vagrant gives a machine to one command at a time, and the ledger to nobody twice.
        self._one = threading.Lock()
        found = state.ledger()
        self._to_admit = {*found.booted, *found.running} - {*found.outside}
        nodes = {n.name: Access(n.address, sudo=True) for n in topology.nodes}
        self._links = SshLinks(state.path, state.ssh_config, nodes, logs=consoles)

    @property
    def id(self) -> str:
        """Name of the run's state directory."""
        return self._state.path.name

    @property
    def topology(self) -> Topology:
        """The topology of the nodes."""
        return self._topology

    def connect(self, *, all_run: bool = True) -> None:
        """Ask Vagrant how the machines are reached, and begin to.

        Raises ProviderError for one that doesn't run, unless `all_run` is False.
        """
        for node in self._topology.nodes:
            try:
                self._blocks[node.name] = self._vagrant.ssh_config(node.name)
            except ProviderError:
                if all_run:
                    raise
                self._blocks[node.name] = OFF_BLOCK.format(node=node.name)
        self._write_ssh_config()
        self._links.open()

    def reach(self, node: str) -> str:
        """By `vagrant up`."""
        return f"vagrant ssh {node}"

    def await_access(self, node: str, timeout: float) -> None:
        """Return when the engine answers; ProviderError too when the machine isn't fit for a run.

        Unfit is one without the lab's address, and one that was there before and is in a
        swarm already: it is somebody's, and forming another would destroy it.
        """
        self._links.await_access(node, timeout)
        spec = next(n for n in self._topology.nodes if n.name == node)
        if f" {spec.address}/" not in self._look(node, ["ip", "-brief", "address"]).stdout:
            raise ProviderError(
                f"{node} hasn't the address {spec.address}: give it that one in the Vagrantfile"
            )
        with self._one:
            if node in self._to_admit:
                self._admit(node)

    def _admit(self, node: str) -> None:
        if self._look(node, ["sh", "-c", IN_SWARM]).returncode == 0:
            raise ProviderError(
                f"{node} was there before this run and is in a swarm already: take it out"
                f" (`vagrant ssh {node} --command 'docker swarm leave --force'`), or test that"
                " swarm as it is with --swarmlab-provider inventory"
            )
        self._to_admit.remove(node)
        self._state.amend(outside=(*self._state.ledger().outside, node))

    def _look(self, node: str, argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
        command = self._links.command(node, argv)
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )

    def power_off(self, node: str) -> None:
        """`vagrant halt --force`: the hypervisor ends the machine there and then."""
        with self._one:
            self._vagrant.halt(node, force=True, log=self._log)

    def power_on(self, node: str) -> None:
        """`vagrant up`; the machine may be reached another way afterwards."""
        with self._one:
            self._vagrant.up([node], provision=False, log=self._log)
            self._blocks[node] = self._vagrant.ssh_config(node)
            self._write_ssh_config()

    def keep(self) -> None:
        """Leave the machines running; the ledger stays until `stop`."""
        self._links.close()
        if self._process:
            self._state.amend(kept=True)
            self._end_keeper()

    def go_whole(self) -> bool:
        """Always: their kernels end with them."""
        return True

    def stop(self) -> None:
        """Destroy the machines that the run created; leave all others as the run found them."""
        self._links.close()
        if self._process:
            if self._end_keeper():
                raise ProviderError(
                    "the machines could not be restored:"
                    f" {last_line(self._state.path / 'keeper.log') or 'no word why'};"
                    f" `vagrant status` in {self._vagrant.directory} shows what is left"
                )
        elif self._state.path.exists():
            restore(self._state)
            self._state.remove()

    def _end_keeper(self) -> int:
        """Let the keeper do what is owed and wait until it has; returns its exit code."""
        process, self._process = self._process, None
        if process is None:
            return 0
        if process.stdin:
            process.stdin.close()
        return process.wait(KEEPER_S)

    def _write_ssh_config(self) -> None:
        path = self._state.ssh_config
        new = path.with_suffix(".new")
        new.write_text(ssh_config(self._state.path, self._blocks), encoding="utf-8")
        new.replace(path)


def ssh_config(directory: Path, blocks: Mapping[str, str]) -> str:
    """Vagrant's own words on how machines are reached, after ours, which come first and so hold.

    Unlike Vagrant's, they pin each host key at the first connection of the run.
    """
    aliases = "".join(f"Host {node}\n  HostKeyAlias {node}\n" for node in blocks)
    return f"""{aliases}Host *
  BatchMode yes
  StrictHostKeyChecking accept-new
  UserKnownHostsFile {directory}/known_hosts
  GlobalKnownHostsFile /dev/null
  IdentityAgent none
  ForwardAgent no
  ControlMaster no
  ControlPath {directory}/%n.mux
  ConnectTimeout 10
  ServerAliveInterval 5
  ServerAliveCountMax 6
  LogLevel ERROR
{"".join(blocks.values())}"""
